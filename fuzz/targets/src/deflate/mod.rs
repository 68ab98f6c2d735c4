//! permessage-deflate.
//!
//! Input: a byte that says what is done (0: negotiation, see `negotiation.rs`; 1: compressed messages are received, 2:
//! sent and received, see `codec.rs`), then what that needs.

mod codec;
mod inflate;
mod negotiation;

use crate::input::Input;

/// Does what the first byte says.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    match input.byte() % 3 {
        0 => negotiation::run(&mut input),
        1 => codec::receive(&mut input),
        _ => codec::converse(&mut input),
    }
}
