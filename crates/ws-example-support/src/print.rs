//! What people see.

use std::net::SocketAddr;

use ws_proto::CloseCode;

/// The page that the echo servers give to a browser: one input, one button, a log of what came back, and the state of
/// the connection. It needs nothing from anywhere else.
pub const PAGE: &str = include_str!("page.html");

/// Says that the server is ready: one line on standard output for programs, and hints on standard error for people.
pub fn announce(addr: SocketAddr, client: &str) {
    eprintln!(
        "open http://{addr}/ in a browser, or run: cargo run --release --example {client} ws://{addr}/"
    );
    println!("listening on {addr}");
}

/// The last line that a client prints: why the connection ended.
pub fn describe_close(code: CloseCode, reason: &str) -> String {
    let separator = if reason.is_empty() { "" } else { ": " };
    format!("closed: {code}{separator}{}", escape_control(reason))
}

/// `text` with control characters escaped, so that what a peer sends cannot drive the terminal.
///
/// ```
/// assert_eq!(ws_example_support::escape_control("a\u{1b}[31m\tü"), "a\\u{1b}[31m\\tü");
/// ```
pub fn escape_control(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    escaped
}
