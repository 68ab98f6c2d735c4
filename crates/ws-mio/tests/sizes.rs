//! What a connection costs in memory while nothing happens.

use mio::net::TcpStream;
use ws_mio::{Endpoint, WebSocket};
use ws_proto::Connection;

#[test]
fn a_websocket_takes_88_bytes_beside_its_parts() {
    let own = size_of::<WebSocket<TcpStream>>() - size_of::<TcpStream>() - size_of::<Connection>();
    println!("{own} bytes beside the transport and the connection's {}", size_of::<Connection>());
    assert!(own <= 88, "{own}");
}

/// Slabs have more entries than connections.
#[test]
fn an_endpoint_takes_two_words_of_a_slab() {
    assert!(size_of::<Endpoint<TcpStream>>() <= 2 * size_of::<usize>());
}
