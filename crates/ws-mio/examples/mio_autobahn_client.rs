//! Walks the cases of an Autobahn fuzzing server, echoing what it receives.

mod client;

use std::io;
use std::process::ExitCode;

use client::SOCKET;
use mio::net::TcpStream;
use mio::{Events, Poll};
use ws_example_support::AutobahnArgs;
use ws_mio::handshake::Uri;
use ws_mio::{Clock, Config, Error, Event, Message, SendError, WebSocket};

fn main() -> ExitCode {
    match run(&AutobahnArgs::from_env()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &AutobahnArgs) -> Result<(), String> {
    let clock = Clock::new();
    let mut poll = Poll::new().map_err(|error| error.to_string())?;

    let mut count = 0;
    let mut websocket = open(&mut poll, &clock, args, &args.case_count_url())?;
    serve(&mut poll, &clock, &mut websocket, |message| {
        if let Message::Text(text) = message {
            count = text.parse().unwrap_or(0);
        }
        false
    })
    .map_err(|error| error.to_string())?;

    for number in 1..=count {
        let mut websocket = open(&mut poll, &clock, args, &args.case_url(number))?;
        // How the cases end is for the fuzzing server to judge.
        match serve(&mut poll, &clock, &mut websocket, |_| true) {
            Ok(()) => eprintln!("case {number} of {count}"),
            Err(error) => eprintln!("case {number} of {count}: {error}"),
        }
    }
    let mut websocket = open(&mut poll, &clock, args, &args.report_url())?;
    serve(&mut poll, &clock, &mut websocket, |_| false).map_err(|error| error.to_string())
}

fn open(
    poll: &mut Poll,
    clock: &Clock,
    args: &AutobahnArgs,
    url: &str,
) -> Result<WebSocket<TcpStream>, String> {
    // Cases 9.3.1 and 9.4.1 send 4 MiB in fragments of 64 bytes.
    let config = Config::default().max_message_size(64 << 20).max_fragments(100_000);
    let uri = Uri::parse(url).map_err(|error| format!("{url}: {error}"))?;
    client::open(poll, clock, &args.request(uri), config)
}

/// Serves a connection to its end. `handle` says whether to echo.
fn serve(
    poll: &mut Poll,
    clock: &Clock,
    websocket: &mut WebSocket<TcpStream>,
    mut handle: impl FnMut(Message<'_>) -> bool,
) -> Result<(), Error> {
    let mut events = Events::with_capacity(4);
    let mut outcome = Ok(());
    loop {
        let now = clock.now();
        loop {
            match websocket.next(now) {
                Ok(Some((Event::Data(message), mut reply))) => {
                    if handle(message) {
                        match reply.send(message) {
                            Ok(()) | Err(SendError::Closing) => {}
                            Err(error) => outcome = Err(io::Error::other(error).into()),
                        }
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) => break,
                // The Close frame that says so still has to go out.
                Err(error) => outcome = Err(error),
            }
        }
        if websocket.is_closed() {
            return outcome;
        }
        websocket.register(poll.registry(), SOCKET)?;
        let timeout = websocket.poll_timeout().map(|at| at.saturating_duration_since(clock.now()));
        match poll.poll(&mut events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => result?,
        }
        events.iter().filter(|event| event.token() == SOCKET).for_each(|event| websocket.handle_event(event));
        websocket.handle_timeout(clock.now());
    }
}
