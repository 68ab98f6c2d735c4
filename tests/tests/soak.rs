//! Ten thousand connections for ten minutes, with traffic, keepalive pings, closes from either end and connections that just
//! break: no message is lost or damaged, every connection ends once on either side and as the other side says, and neither
//! memory nor descriptors grow.
//!
//! Not for every day:
//!
//! ```console
//! $ cargo test --release -p ws-tests --test soak -- --ignored --test-threads 1 --nocapture
//! ```
//!
//! `WS_SOAK_SECONDS` and `WS_SOAK_CONNECTIONS` ask for less or more. The server is a process of its own, this program
//! started once more; both run on one thread each.
#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod soak_support;

use soak_support::{is_server, mio_client, mio_server, soak, tokio_client, tokio_server};

#[test]
#[ignore = "takes ten minutes, and twenty thousand descriptors"]
fn ten_thousand_connections_for_ten_minutes_over_mio() {
    if is_server() {
        mio_server::serve();
    } else {
        soak("ten_thousand_connections_for_ten_minutes_over_mio", mio_client::run);
    }
}

#[test]
#[ignore = "takes ten minutes, and twenty thousand descriptors"]
fn ten_thousand_connections_for_ten_minutes_over_tokio() {
    if is_server() {
        tokio_server::serve();
    } else {
        soak("ten_thousand_connections_for_ten_minutes_over_tokio", tokio_client::run);
    }
}
