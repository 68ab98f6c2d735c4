//! Where masking keys come from, RFC 6455 section 5.3, seen in what a client sends.
#![allow(clippy::unwrap_used)]

use chacha20::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};
use ws_proto::{Config, Connection, Instant, MaskKeys, Message, Role, SendBuf};

/// The masking keys of the first empty frames that a client sends.
fn keys(keys: MaskKeys) -> [[u8; 4]; 20] {
    let mut client = Connection::new(Role::Client(keys), Config::default(), Instant::ZERO);
    core::array::from_fn(|_| {
        let mut tx = SendBuf::new([0; 16]);
        client.send(&mut tx, Message::Binary(&[])).unwrap();
        let transmit = client.poll_transmit(Instant::ZERO, &mut tx).unwrap();
        *transmit.slices()[0][2..].first_chunk().unwrap()
    })
}

#[test]
fn section_5_3_a_generator_gives_the_seed_once_or_each_key() {
    let mut seed = [0; 32];
    ChaCha8Rng::from_seed([7; 32]).fill_bytes(&mut seed);
    let from_rng = keys(MaskKeys::from_rng(&mut ChaCha8Rng::from_seed([7; 32])));
    assert_eq!(from_rng, keys(MaskKeys::from_seed(seed)));
    assert_ne!(from_rng, keys(MaskKeys::from_seed([7; 32])));

    #[cfg(feature = "alloc")]
    {
        let mut rng = ChaCha8Rng::from_seed([8; 32]);
        let drawn = core::array::from_fn(|_| {
            let mut key = [0; 4];
            rng.fill_bytes(&mut key);
            key
        });
        let generator = Box::new(ChaCha8Rng::from_seed([8; 32]));
        assert_eq!(keys(MaskKeys::from_generator(generator)), drawn);
    }
}

#[test]
fn keys_do_not_get_into_logs() {
    assert_eq!(format!("{:?}", MaskKeys::from_seed([7; 32])), "MaskKeys { .. }");
}
