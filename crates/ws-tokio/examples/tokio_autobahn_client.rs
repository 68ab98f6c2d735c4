//! Walks the cases of an Autobahn fuzzing server, echoing what it receives.

use std::process::ExitCode;

use ws_example_support::AutobahnArgs;
use ws_tokio::ws_proto::handshake::{HandshakeLimits, Uri};
use ws_tokio::ws_proto::{CloseCode, Config, Event};
use ws_tokio::{Error, Message, WebSocket, connect_with};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = AutobahnArgs::from_env();
    match run(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &AutobahnArgs) -> Result<(), Error> {
    let cases = case_count(args).await?;
    for number in 1..=cases {
        eprintln!("case {number} of {cases}");
        let mut ws = open(args, &args.case_url(number)).await?;
        // Many cases are there to make a connection fail; what counts is in the report.
        if let Err(error) = echo(&mut ws).await {
            eprintln!("case {number}: {error}");
        }
    }
    open(args, &args.report_url()).await?.close(CloseCode::NORMAL, "").await
}

async fn open(args: &AutobahnArgs, url: &str) -> Result<WebSocket<tokio::net::TcpStream>, Error> {
    let request = args.request(Uri::parse(url)?);
    let config = Config::default().max_message_size(64 << 20).max_fragments(1 << 20);
    Ok(connect_with(&request, HandshakeLimits::default(), config).await?.0)
}

async fn case_count(args: &AutobahnArgs) -> Result<usize, Error> {
    let mut ws = open(args, &args.case_count_url()).await?;
    let mut count = 0;
    while let Some(message) = ws.recv().await? {
        if let Message::Text(text) = message {
            count = text.parse().unwrap_or(0);
        }
    }
    Ok(count)
}

async fn echo(ws: &mut WebSocket<tokio::net::TcpStream>) -> Result<(), Error> {
    while let Some((event, mut reply)) = ws.next().await? {
        if let Event::Data(message) = event {
            reply.send(message).await?;
        }
    }
    Ok(())
}
