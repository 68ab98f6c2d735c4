//! npm's `ws` talks to our servers, and our clients to its server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod interop_support;

use interop_support::{Compression, Peer, Server, converse, converse_over_mio};

#[tokio::test]
async fn its_client_talks_to_our_servers() {
    let Some(node) = Peer::node().await else { return };
    for (server, compression) in
        Server::ALL.into_iter().flat_map(|server| Compression::ALL.map(|how| (server, how)))
    {
        let mut server = server.start(compression).await;
        node.run_client("client.js", &server.url(), compression).await;
        server.expect_the_usual_ends().await;
    }
}

#[tokio::test]
async fn our_clients_talk_to_its_server() {
    let Some(node) = Peer::node().await else { return };
    let mut server = node.start_server("server.js").await;
    for compression in Compression::ALL {
        converse_over_mio(&mut server, compression).await;
        converse(&mut server, compression).await;
    }
}
