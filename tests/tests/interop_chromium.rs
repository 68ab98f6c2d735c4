//! A browser shows the page of our echo servers and uses it, and talks to them with messages of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod interop_support;

use std::process::Stdio;

use interop_support::{Compression, Peer, Report, Server};

#[tokio::test]
async fn it_talks_to_our_servers() {
    let Some(chromium) = Peer::chromium().await else { return };
    for (server, compression) in
        Server::ALL.into_iter().flat_map(|server| Compression::ALL.map(|how| (server, how)))
    {
        let mut server = server.start(compression).await;
        let profile = std::env::temp_dir().join(format!("ws-tests-chromium-{}", std::process::id()));
        let mut browser = chromium
            .command()
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--disable-dev-shm-usage", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg(format!("http://{}/browser?{}", server.addr, compression.name()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut ends = Vec::new();
        let result = loop {
            match server.report().await {
                Report::Result(result) => break result,
                end => ends.push(end),
            }
        };
        let _ = browser.kill().await;
        let _ = std::fs::remove_dir_all(&profile);
        assert_eq!(result, "ok", "{ends:?}");
        let both = |code| Report::Closed { local: Some(code), peer: Some(code), error: None };
        // The page's, then our own.
        assert_eq!(ends[..2], [both(4001), both(4000)]);
    }
}
