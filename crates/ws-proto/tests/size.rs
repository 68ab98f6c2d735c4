//! What a connection costs.

use ws_proto::Connection;

#[test]
fn a_connection_is_at_most_640_bytes() {
    let size = size_of::<Connection>();
    println!("{size}");
    assert!(size <= 640, "{size} bytes");
}
