//! A decoder after the letter of RFC 6455, over the whole input at once and one byte at a time, as slow and as plain as
//! it can be. Shares no code with the one under test.

/// What a decoder made of the bytes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Verdict {
    /// What was received, in order.
    pub events: Vec<Seen>,
    /// The code of the Close frame with which the connection fails, if it does.
    pub failure: Option<u16>,
}

/// Something that was received.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Seen {
    /// A binary message, or any with reserved bits: those belong to an extension.
    Binary(Vec<u8>),
    /// A Close frame: its code, 1005 if there is none, and its reason.
    Close(u16, String),
    /// A ping.
    Ping(Vec<u8>),
    /// A pong.
    Pong(Vec<u8>),
    /// A text message.
    Text(String),
}

/// What the peer may do.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Whether its frames have to be masked: it is a client.
    pub masked: bool,
    /// The reserved bits that have a meaning, as they stand in the first byte of a frame.
    pub rsv: u8,
    /// The largest message.
    pub max_message: u64,
    /// The largest frame of data.
    pub max_frame: u64,
    /// The most frames of one message.
    pub max_fragments: u64,
}

/// How a frame header ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Head {
    /// It goes on behind the bytes.
    Incomplete,
    /// It breaks a rule, at the byte with this index.
    Wrong(usize),
    /// It has `size` bytes, and `len` bytes of payload follow.
    Whole {
        /// Of the header.
        size: usize,
        /// Of the payload.
        len: u64,
    },
}

/// Reads the header at the front of `bytes`, in which the RFC allows these reserved bits; `inside` a fragmented
/// message or not.
pub fn head(bytes: &[u8], masked: bool, rsv: u8, inside: bool) -> Head {
    let Some(&first) = bytes.first() else { return Head::Incomplete };
    let (fin, bits, opcode) = (first & 0x80 != 0, first & 0x70, first & 0x0F);
    let allowed = match opcode {
        // Section 5.4: a continuation has something to continue.
        0 => inside && bits == 0,
        // ... and nothing else comes before the end of it.
        1 | 2 => !inside && bits & !rsv == 0,
        // Section 5.5: control frames are not fragmented.
        8..=10 => fin && bits == 0,
        _ => false,
    };
    if !allowed {
        return Head::Wrong(0);
    }
    let Some(&second) = bytes.get(1) else { return Head::Incomplete };
    let short = u64::from(second & 0x7F);
    if (second & 0x80 != 0) != masked || (opcode >= 8 && short > 125) {
        return Head::Wrong(1);
    }
    let digits = [0, 2, 8][(short >= 126) as usize + (short == 127) as usize];
    let mut len = if digits == 0 { short } else { 0 };
    for index in 2..2 + digits {
        let Some(&byte) = bytes.get(index) else { return Head::Incomplete };
        len = len << 8 | u64::from(byte);
        if digits == 8 && index == 2 && byte >= 0x80 {
            return Head::Wrong(2);
        }
        // The first byte behind which the length cannot become large enough to need this form.
        let decisive = if digits == 2 { 3 } else { 7 };
        let least = if digits == 2 { 126 } else { 1 };
        if index == decisive && len < least {
            return Head::Wrong(index);
        }
    }
    let size = 2 + digits + if masked { 4 } else { 0 };
    if bytes.len() < size { Head::Incomplete } else { Head::Whole { size, len } }
}

/// The codes that may stand in a Close frame (section 7.4, and the registry).
fn is_code(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// Whether `bytes` can still become UTF-8, whatever follows.
fn may_become_text(bytes: &[u8]) -> bool {
    core::str::from_utf8(bytes).map_or_else(|error| error.error_len().is_none(), |_| true)
}

/// Receives all of `bytes`.
pub fn receive(bytes: &[u8], rules: Rules) -> Verdict {
    let mut verdict = Verdict::default();
    verdict.failure = receive_frames(bytes, rules, &mut verdict.events).err();
    verdict
}

fn receive_frames(mut bytes: &[u8], rules: Rules, events: &mut Vec<Seen>) -> Result<(), u16> {
    let mut message: Option<(u8, Vec<u8>)> = None;
    let mut fragments = 0;
    loop {
        let (size, len) = match head(bytes, rules.masked, rules.rsv, message.is_some()) {
            Head::Incomplete => return Ok(()),
            Head::Wrong(_) => return Err(1002),
            Head::Whole { size, len } => (size, len),
        };
        let (first, control) = (bytes[0], bytes[0] & 0x08 != 0);
        if !control {
            let before = message.as_ref().map_or(0, |(_, payload)| payload.len() as u64);
            if len > rules.max_frame || len.saturating_add(before) > rules.max_message {
                return Err(1009);
            }
            fragments = if message.is_some() { fragments + 1 } else { 1 };
            if fragments > rules.max_fragments {
                return Err(1008);
            }
        }
        let there = (bytes.len() - size).min(usize::try_from(len).unwrap_or(usize::MAX));
        let mut payload = bytes[size..size + there].to_vec();
        if rules.masked {
            let key = &bytes[size - 4..size];
            payload.iter_mut().enumerate().for_each(|(index, byte)| *byte ^= key[index % 4]);
        }
        let complete = there as u64 == len;
        if control {
            if !complete {
                return Ok(());
            }
            match first & 0x0F {
                9 => events.push(Seen::Ping(payload)),
                10 => events.push(Seen::Pong(payload)),
                _ => {
                    let (code, reason) = match *payload {
                        [] => (1005, &[][..]),
                        [_] => return Err(1002),
                        [high, low, ref reason @ ..] => (u16::from(high) << 8 | u16::from(low), reason),
                    };
                    if !payload.is_empty() && !is_code(code) {
                        return Err(1002);
                    }
                    let reason = core::str::from_utf8(reason).map_err(|_| 1007_u16)?;
                    events.push(Seen::Close(code, reason.to_owned()));
                    return Ok(());
                }
            }
        } else {
            let (begun_with, whole) = message.get_or_insert_with(|| (first, Vec::new()));
            whole.extend(payload);
            let is_text = *begun_with & 0x7F == 1;
            if is_text && !may_become_text(whole) {
                return Err(1007);
            }
            if !complete {
                return Ok(());
            }
            if first & 0x80 != 0 {
                let whole = core::mem::take(whole);
                message = None;
                events.push(if is_text {
                    Seen::Text(String::from_utf8(whole).map_err(|_| 1007_u16)?)
                } else {
                    Seen::Binary(whole)
                });
            }
        }
        bytes = &bytes[size + there..];
    }
}
