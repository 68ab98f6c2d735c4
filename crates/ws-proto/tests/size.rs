//! What a connection costs.

use ws_proto::{Connection, MaskKeys, Role};

/// Without an allocator, the room for control frames that wait is in the connection, and so is the seed of a client's
/// masking keys.
#[test]
fn a_connection_of_either_role_is_at_most_640_bytes_and_216_with_an_allocator() {
    let size = size_of::<Connection>();
    println!(
        "{size} bytes, of which {} for the role and {} in it for masking keys",
        size_of::<Role>(),
        size_of::<MaskKeys>()
    );
    let most = if cfg!(feature = "alloc") { 216 } else { 640 };
    let pointer_to_what_deflate_needs = if cfg!(feature = "deflate") { 8 } else { 0 };
    assert!(size <= most + pointer_to_what_deflate_needs, "{size} bytes");
}
