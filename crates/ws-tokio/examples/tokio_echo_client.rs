//! Sends each line of standard input as a text message and prints what comes back.

use std::process::ExitCode;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::timeout;
use ws_example_support::{ClientArgs, describe_close, escape_control};
use ws_tokio::ws_proto::handshake::{HandshakeLimits, Uri};
use ws_tokio::ws_proto::{CloseCode, Config};
use ws_tokio::{Error, Message, connect_with};

/// How long to wait for echoes when there is nothing more to send.
const LAST_WORDS: Duration = Duration::from_secs(5);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = ClientArgs::from_env();
    match run(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &ClientArgs) -> Result<(), Error> {
    let request = args.request(Uri::parse(&args.url)?);
    let config = Config::default().max_message_size(64 << 20);
    let (mut ws, _) = connect_with(&request, HandshakeLimits::default(), config).await?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut outstanding = 0_usize;
    // Both ways at once: `recv` and `next_line` can be dropped half way without losing anything.
    loop {
        tokio::select! {
            line = lines.next_line() => match line? {
                Some(line) => {
                    ws.send(Message::text(line)).await?;
                    outstanding += 1;
                }
                None => break,
            },
            message = ws.recv() => match message? {
                Some(message) => outstanding = outstanding.saturating_sub(print(message)),
                None => return Ok(()),
            },
        }
    }
    while outstanding > 0 {
        match timeout(LAST_WORDS, ws.recv()).await {
            Ok(message) => match message? {
                Some(message) => outstanding = outstanding.saturating_sub(print(message)),
                None => return Ok(()),
            },
            Err(_) => break,
        }
    }
    ws.feed(Message::Close(ws_tokio::CloseFrame { code: CloseCode::NORMAL, reason: "".into() })).await?;
    while let Some(message) = ws.recv().await? {
        print(message);
    }
    Ok(())
}

/// Prints a message, and says how many of ours it may be the echo of.
fn print(message: Message) -> usize {
    match message {
        Message::Text(text) => println!("{}", escape_control(&text)),
        Message::Binary(bytes) => println!("{} bytes", bytes.len()),
        Message::Close(frame) => {
            println!("{}", describe_close(frame.code, &frame.reason));
            return 0;
        }
        Message::Ping(_) | Message::Pong(_) => return 0,
    }
    1
}
