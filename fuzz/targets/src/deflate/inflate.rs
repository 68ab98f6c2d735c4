//! A naive inflater after RFC 1951, a bit at a time, with the rules of RFC 7692 section 7.2.2 around it. Shares no code
//! with the one under test.

/// How it went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stop {
    /// Up to the end of the last block.
    Complete,
    /// It refers farther back than agreed on, but not to what was never sent: a receiver may take that or not.
    Farther,
    /// It is none, which shows within the payload.
    Invalid,
    /// It stops inside a block, or is more than anybody wants.
    Unfinished,
}

struct Inflater<'d> {
    bytes: &'d [u8],
    at: usize,
    /// What was there before, and what came out.
    out: Vec<u8>,
    window: usize,
    farther: bool,
    most: usize,
}

/// The canonical code of some lengths: how many codes there are of each length, and the symbols in their order.
struct Code {
    counts: [u16; 16],
    symbols: Vec<u16>,
}

impl Code {
    /// The code, and how much of the space of codes it leaves; `None` if it takes more than there is.
    fn new(lengths: &[u8]) -> Option<(Self, i32)> {
        let mut counts = [0_u16; 16];
        lengths.iter().for_each(|len| counts[usize::from(*len)] += 1);
        let mut symbols = Vec::new();
        for len in 1..16 {
            symbols.extend((0..lengths.len() as u16).filter(|symbol| lengths[usize::from(*symbol)] == len));
        }
        let used = usize::from(counts[0]) < lengths.len();
        let left = (1..16).try_fold(1_i32, |left, len| {
            let left = 2 * left - i32::from(counts[len]);
            (left >= 0).then_some(left)
        })?;
        Some((Self { counts, symbols }, if used { left } else { 0 }))
    }

    /// Whether it has no more than one code, of one bit.
    fn is_single(&self) -> bool {
        usize::from(self.counts[1]) == self.symbols.len()
    }
}

/// Inflates one message behind `history`; `most` is as much as anybody wants. Gives what came out, and how it went.
pub(super) fn inflate(payload: &[u8], history: &[u8], window: usize, most: usize) -> (Vec<u8>, Stop) {
    let bytes = [payload, &[0, 0, 0xFF, 0xFF]].concat();
    let (out, most) = (history.to_vec(), history.len() + most);
    let mut inflater = Inflater { bytes: &bytes, at: 0, out, window, farther: false, most };
    let stop = match inflater.blocks(8 * payload.len()) {
        Ok(()) if inflater.farther => Stop::Farther,
        Ok(()) => Stop::Complete,
        // Behind the payload it is not the peer's fault alone.
        Err(Stop::Invalid) if inflater.at > 8 * payload.len() => Stop::Unfinished,
        Err(Stop::Invalid) if inflater.farther => Stop::Farther,
        Err(stop) => stop,
    };
    (inflater.out.split_off(history.len()), stop)
}

impl Inflater<'_> {
    fn bits(&mut self, n: usize) -> Result<usize, Stop> {
        let mut value = 0;
        for index in 0..n {
            let byte = *self.bytes.get(self.at / 8).ok_or(Stop::Unfinished)?;
            value |= usize::from(byte >> (self.at % 8) & 1) << index;
            self.at += 1;
        }
        Ok(value)
    }

    fn blocks(&mut self, payload_bits: usize) -> Result<(), Stop> {
        loop {
            let last = self.bits(1)? == 1;
            match self.bits(2)? {
                0 => self.stored()?,
                1 => {
                    let mut lengths = [8; 288];
                    lengths[144..256].fill(9);
                    lengths[256..280].fill(7);
                    let code = |lengths: &[u8]| Code::new(lengths).ok_or(Stop::Invalid);
                    self.compressed(&code(&lengths)?.0, &code(&[5; 30])?.0)?;
                }
                2 => self.dynamic()?,
                _ => return Err(Stop::Invalid),
            }
            if last {
                self.at = self.at.next_multiple_of(8);
                // A block with BFINAL that nothing follows.
                if self.at == payload_bits {
                    return Ok(());
                }
            }
            if self.at == 8 * self.bytes.len() {
                return Ok(());
            }
        }
    }

    fn stored(&mut self) -> Result<(), Stop> {
        self.at = self.at.next_multiple_of(8);
        let (len, complement) = (self.bits(16)?, self.bits(16)?);
        if len != !complement & 0xFFFF {
            return Err(Stop::Invalid);
        }
        for _ in 0..len {
            let byte = self.bits(8)?;
            self.put(byte as u8)?;
        }
        Ok(())
    }

    fn dynamic(&mut self) -> Result<(), Stop> {
        const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
        let (literals, distances, count) = (self.bits(5)? + 257, self.bits(5)? + 1, self.bits(4)? + 4);
        if literals > 286 || distances > 30 {
            return Err(Stop::Invalid);
        }
        let mut lengths = [0_u8; 19];
        for &symbol in &ORDER[..count] {
            lengths[symbol] = self.bits(3)? as u8;
        }
        let (code, left) = Code::new(&lengths).ok_or(Stop::Invalid)?;
        if left > 0 {
            return Err(Stop::Invalid);
        }
        if code.symbols.is_empty() {
            // No symbol can follow. A library may notice that when it has seen as many as there should be, which can be
            // behind the payload.
            return Err(Stop::Unfinished);
        }
        let mut lengths = Vec::new();
        while lengths.len() < literals + distances {
            let (len, times) = match self.symbol(&code)? {
                16 => (*lengths.last().ok_or(Stop::Invalid)?, 3 + self.bits(2)?),
                17 => (0, 3 + self.bits(3)?),
                18 => (0, 11 + self.bits(7)?),
                len => (len as u8, 1),
            };
            lengths.extend(core::iter::repeat_n(len, times));
        }
        if lengths.len() > literals + distances || lengths[256] == 0 {
            return Err(Stop::Invalid);
        }
        let (literal, left) = Code::new(&lengths[..literals]).ok_or(Stop::Invalid)?;
        if left > 0 && !literal.is_single() {
            return Err(Stop::Invalid);
        }
        let (distance, left) = Code::new(&lengths[literals..]).ok_or(Stop::Invalid)?;
        if left > 0 && !distance.is_single() {
            return Err(Stop::Invalid);
        }
        self.compressed(&literal, &distance)
    }

    fn symbol(&mut self, of: &Code) -> Result<u16, Stop> {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for len in 1..16 {
            code |= self.bits(1)?;
            let count = usize::from(of.counts[len]);
            if code < first + count {
                return Ok(of.symbols[index + code - first]);
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        Err(Stop::Invalid)
    }

    fn compressed(&mut self, literal: &Code, distance: &Code) -> Result<(), Stop> {
        loop {
            let symbol = usize::from(self.symbol(literal)?);
            match symbol {
                0..256 => self.put(symbol as u8)?,
                256 => return Ok(()),
                257..286 => {
                    let len = match symbol - 257 {
                        short @ 0..8 => 3 + short,
                        28 => 258,
                        long => {
                            let extra = long / 4 - 1;
                            3 + ((4 + long % 4) << extra) + self.bits(extra)?
                        }
                    };
                    let back = match usize::from(self.symbol(distance)?) {
                        short @ 0..4 => 1 + short,
                        long @ 4..30 => {
                            let extra = long / 2 - 1;
                            1 + ((2 + long % 2) << extra) + self.bits(extra)?
                        }
                        _ => return Err(Stop::Invalid),
                    };
                    if back > self.out.len() {
                        return Err(Stop::Invalid);
                    }
                    self.farther |= back > self.window;
                    for _ in 0..len {
                        self.put(self.out[self.out.len() - back])?;
                    }
                }
                _ => return Err(Stop::Invalid),
            }
        }
    }

    fn put(&mut self, byte: u8) -> Result<(), Stop> {
        if self.out.len() == self.most {
            return Err(Stop::Unfinished);
        }
        self.out.push(byte);
        Ok(())
    }
}
