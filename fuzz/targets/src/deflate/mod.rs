//! permessage-deflate.
//!
//! Input: a byte that says what is done (0: negotiation, see [`negotiation`]), then what that needs.

mod negotiation;

use crate::input::Input;

/// Does what the first byte says.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    // The only one so far; kept so that seeds stay what they are when there are others.
    let _ = input.byte();
    negotiation::run(&mut input);
}
