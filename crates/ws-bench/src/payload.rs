//! What the messages say.

/// What a message consists of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Content {
    /// Pseudo-random bytes.
    Binary,
    /// Text in ASCII that looks like JSON.
    Text,
    /// Text in several scripts, two thirds of it outside of ASCII.
    Unicode,
}

impl Content {
    /// Whether the messages are text.
    pub const fn is_text(self) -> bool {
        !matches!(self, Self::Binary)
    }

    /// The name in the tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Text => "text",
            Self::Unicode => "unicode text",
        }
    }

    /// A payload of exactly `size` bytes; another `seed` gives another one.
    pub fn payload(self, size: usize, seed: u64) -> Vec<u8> {
        let mut random = Random::new(seed);
        let mut payload = Vec::with_capacity(size + 128);
        while payload.len() < size {
            match self {
                Self::Binary => payload.extend_from_slice(&random.next().to_le_bytes()),
                Self::Text => payload.extend_from_slice(record(&mut random).as_bytes()),
                Self::Unicode => {
                    payload.extend_from_slice(SENTENCES[random.below(SENTENCES.len())].as_bytes())
                }
            }
        }
        payload.truncate(size);
        if self.is_text() {
            // A character that the end would cut gives way to spaces.
            let valid = std::str::from_utf8(&payload).map_or_else(|error| error.valid_up_to(), str::len);
            payload[valid..].fill(b' ');
        }
        payload
    }
}

const SENTENCES: [&str; 5] = [
    "Съешь же ещё этих мягких французских булок. ",
    "いろはにほへと ちりぬるを わかよたれそ つねならむ。",
    "Victor jagt zwölf Boxkämpfer quer über den Sylter Deich. ",
    "Ξεσκεπάζω τὴν ψυχοφθόρα βδελυγμία. ",
    "🦀 ships 🚢 with 🧪 and 🧰, naïve café. ",
];

fn record(random: &mut Random) -> String {
    const SYMBOLS: [&str; 4] = ["BTC-USD", "ETH-USD", "SOL-EUR", "XRP-GBP"];
    format!(
        r#"{{"s":"{}","p":"{}.{:02}","q":"0.{:06}","t":{},"m":{}}},"#,
        SYMBOLS[random.below(SYMBOLS.len())],
        random.below(100_000),
        random.below(100),
        random.below(1_000_000),
        1_700_000_000_000_u64 + random.below(1 << 30) as u64,
        random.below(2) == 0,
    )
}

/// Numbers that are the same in each run: splitmix64.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers that belong to `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    #[allow(clippy::should_implement_trait)]
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// The next number below `bound`.
    pub const fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// The next masking key.
    pub const fn key(&mut self) -> [u8; 4] {
        (self.next() as u32).to_le_bytes()
    }
}
