//! Frames, written and read naively after the picture in RFC 6455 section 5.2. Shares no code with the crate under
//! test.

/// The masking key that frames built here have, if masked and nothing else is said.
pub const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// How the length of a frame is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FrameLength {
    /// As the RFC demands.
    Shortest,
    /// In 16 bits, whatever is minimal.
    Bits16(u16),
    /// In 64 bits, whatever is minimal, and true or not.
    Bits64(u64),
}

/// A frame with every field as the test wants it, right or wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Frame {
    /// The final fragment of a message.
    pub fin: bool,
    /// The three reserved bits, as a number from 0 to 7.
    pub rsv: u8,
    /// Four bits.
    pub opcode: u8,
    /// The payload, not masked.
    pub payload: Vec<u8>,
    /// How the length is written.
    pub length: FrameLength,
}

impl Frame {
    /// Without FIN: more fragments follow.
    pub fn more(mut self) -> Self {
        self.fin = false;
        self
    }

    /// With these reserved bits, 0 to 7.
    pub fn rsv(mut self, bits: u8) -> Self {
        self.rsv = bits;
        self
    }

    /// With a length that is written like this.
    pub fn length(mut self, length: FrameLength) -> Self {
        self.length = length;
        self
    }

    /// The bytes with no mask: what a server sends.
    pub fn unmasked(&self) -> Vec<u8> {
        self.encode(None)
    }

    /// The bytes masked with [`KEY`]: what a client sends.
    pub fn masked(&self) -> Vec<u8> {
        self.encode(Some(KEY))
    }

    /// The bytes, masked or not.
    pub fn encode(&self, key: Option<[u8; 4]>) -> Vec<u8> {
        let mut bytes = vec![u8::from(self.fin) << 7 | self.rsv << 4 | self.opcode];
        let mask_bit = if key.is_some() { 0x80 } else { 0 };
        let n = self.payload.len();
        match self.length {
            FrameLength::Shortest if n < 126 => bytes.push(mask_bit | n as u8),
            FrameLength::Shortest if n < 65536 => {
                bytes.push(mask_bit | 126);
                bytes.extend_from_slice(&(n as u16).to_be_bytes());
            }
            FrameLength::Shortest => {
                bytes.push(mask_bit | 127);
                bytes.extend_from_slice(&(n as u64).to_be_bytes());
            }
            FrameLength::Bits16(n) => {
                bytes.push(mask_bit | 126);
                bytes.extend_from_slice(&n.to_be_bytes());
            }
            FrameLength::Bits64(n) => {
                bytes.push(mask_bit | 127);
                bytes.extend_from_slice(&n.to_be_bytes());
            }
        }
        bytes.extend(key.into_iter().flatten());
        let key = key.unwrap_or_default();
        bytes.extend(self.payload.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]));
        bytes
    }
}

/// A frame with FIN and any opcode.
pub fn frame(opcode: u8, payload: impl AsRef<[u8]>) -> Frame {
    Frame { fin: true, rsv: 0, opcode, payload: payload.as_ref().to_vec(), length: FrameLength::Shortest }
}

/// A continuation frame, the last of its message.
pub fn cont(payload: impl AsRef<[u8]>) -> Frame {
    frame(0x0, payload)
}

/// A text frame; the payload need not be text.
pub fn text(payload: impl AsRef<[u8]>) -> Frame {
    frame(0x1, payload)
}

/// A binary frame.
pub fn binary(payload: impl AsRef<[u8]>) -> Frame {
    frame(0x2, payload)
}

/// A Close frame with this code and no reason.
pub fn close(code: u16) -> Frame {
    close_with(code, "")
}

/// A Close frame with code and reason.
pub fn close_with(code: u16, reason: impl AsRef<[u8]>) -> Frame {
    let mut body = code.to_be_bytes().to_vec();
    body.extend_from_slice(reason.as_ref());
    raw_close(body)
}

/// A Close frame without code.
pub fn empty_close() -> Frame {
    raw_close([])
}

/// A Close frame with this body.
pub fn raw_close(body: impl AsRef<[u8]>) -> Frame {
    frame(0x8, body)
}

/// A ping.
pub fn ping(payload: impl AsRef<[u8]>) -> Frame {
    frame(0x9, payload)
}

/// A pong.
pub fn pong(payload: impl AsRef<[u8]>) -> Frame {
    frame(0xA, payload)
}

/// The bytes of several frames behind each other.
pub fn wire(frames: &[Frame], masked: bool) -> Vec<u8> {
    frames.iter().flat_map(|frame| if masked { frame.masked() } else { frame.unmasked() }).collect()
}

/// Reads whole frames, all masked or all not, with minimal lengths; panics at anything else.
pub fn frames(bytes: &[u8], masked: bool) -> Vec<Frame> {
    let (frames, rest) = frames_and_rest(bytes, masked);
    assert!(rest.is_empty(), "{} bytes behind the last whole frame: {rest:x?}", rest.len());
    frames
}

/// Reads whole frames and gives what is behind the last of them.
pub fn frames_and_rest(mut bytes: &[u8], masked: bool) -> (Vec<Frame>, &[u8]) {
    let mut frames = Vec::new();
    while let Some((frame, size)) = read(bytes, masked) {
        frames.push(frame);
        bytes = &bytes[size..];
    }
    (frames, bytes)
}

fn read(bytes: &[u8], masked: bool) -> Option<(Frame, usize)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    assert_eq!(second & 0x80 != 0, masked, "mask bit in {:x?}", &bytes[..bytes.len().min(16)]);
    let (len, mut at) = match second & 0x7F {
        126 => {
            let len = u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().unwrap()));
            assert!(len > 125, "a length of {len} in 16 bits");
            (len, 4)
        }
        127 => {
            let len = u64::from_be_bytes(bytes.get(2..10)?.try_into().unwrap());
            assert!(len > 65535, "a length of {len} in 64 bits");
            (len, 10)
        }
        len => (u64::from(len), 2),
    };
    let mut key = [0; 4];
    if masked {
        key.copy_from_slice(bytes.get(at..at + 4)?);
        at += 4;
    }
    let end = at.checked_add(usize::try_from(len).ok()?)?;
    let payload = bytes.get(at..end)?.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]).collect();
    let frame = Frame {
        fin: first & 0x80 != 0,
        rsv: first >> 4 & 7,
        opcode: first & 0x0F,
        payload,
        length: FrameLength::Shortest,
    };
    Some((frame, end))
}
