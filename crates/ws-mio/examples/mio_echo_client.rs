//! Sends each line of standard input as a text message, and prints what comes back.

mod client;

use std::io::{self, BufRead as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;
use std::time::Duration;

use client::SOCKET;
use mio::net::TcpStream;
use mio::{Events, Poll, Token, Waker};
use ws_example_support::{ClientArgs, describe_close, escape_control};
use ws_mio::handshake::Uri;
use ws_mio::{Clock, CloseCode, Config, Error, Event, Instant, Message, SendError, State, WebSocket};

const STDIN: Token = Token(1);
/// How long the echoes of the last lines are waited for when nothing arrives.
const SILENCE: Duration = Duration::from_secs(5);
/// Lines that are read ahead.
const LINES: usize = 64;

fn main() -> ExitCode {
    let args = ClientArgs::from_env();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &ClientArgs) -> Result<(), String> {
    let clock = Clock::new();
    let mut poll = Poll::new().map_err(|error| error.to_string())?;
    let (url, config) = (&args.url, Config::default().max_message_size(64 << 20));
    let uri = Uri::parse(url).map_err(|error| format!("{url}: {error}"))?;
    let websocket = client::open(&mut poll, &clock, &args.request(uri), config)?;
    eprintln!("connected to {url}; end with end of file");
    let (lines, _waker) = read_lines(&poll).map_err(|error| error.to_string())?;
    let mut session =
        Session { websocket, lines: Some(lines), pending: None, outstanding: 0, heard: clock.now() };
    session.run(&mut poll, &clock).map_err(|error| error.to_string())?;

    match (session.websocket.is_clean(), session.websocket.peer_close()) {
        (true, Some(_)) => Ok(()),
        _ => Err("the connection was not closed cleanly".to_owned()),
    }
}

/// Standard input cannot be polled everywhere, so a thread reads it and wakes the loop.
/// The waker comes back too: a wake-up is lost if nobody holds it any more when the loop looks.
fn read_lines(poll: &Poll) -> io::Result<(Receiver<String>, Arc<Waker>)> {
    let waker = Arc::new(Waker::new(poll.registry(), STDIN)?);
    let (sender, receiver) = sync_channel(LINES);
    let thread_waker = Arc::clone(&waker);
    thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let Ok(line) = line.inspect_err(|error| eprintln!("standard input: {error}")) else { break };
            if sender.send(line).is_err() || thread_waker.wake().is_err() {
                return;
            }
        }
        drop(sender);
        let _ = thread_waker.wake();
    });
    Ok((receiver, waker))
}

struct Session {
    websocket: WebSocket<TcpStream>,
    /// Until the end of standard input.
    lines: Option<Receiver<String>>,
    /// A line for which there was no room.
    pending: Option<String>,
    /// How many more messages were sent than came back.
    outstanding: u64,
    /// When something came last, or was sent.
    heard: Instant,
}

impl Session {
    fn run(&mut self, poll: &mut Poll, clock: &Clock) -> Result<(), Error> {
        let mut events = Events::with_capacity(16);
        loop {
            let now = clock.now();
            self.send_lines(now);
            self.receive(now)?;
            if self.websocket.is_closed() {
                return Ok(());
            }
            self.websocket.register(poll.registry(), SOCKET)?;
            match poll
                .poll(&mut events, self.poll_timeout().map(|at| at.saturating_duration_since(clock.now())))
            {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => result?,
            }
            for event in events.iter().filter(|event| event.token() == SOCKET) {
                self.websocket.handle_event(event);
            }
            self.websocket.handle_timeout(clock.now());
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let waiting = self.lines.is_none() && self.websocket.state() == State::Open;
        let silence = waiting.then_some(self.heard + SILENCE);
        [self.websocket.poll_timeout(), silence].into_iter().flatten().min()
    }

    /// Sends the lines that are there, as far as there is room, and closes behind the last echo.
    fn send_lines(&mut self, now: Instant) {
        while let Some(lines) = &self.lines {
            let line = match self.pending.take().map_or_else(|| lines.try_recv(), Ok) {
                Ok(line) => line,
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    self.lines = None;
                    self.heard = now;
                    break;
                }
            };
            match self.websocket.send(Message::Text(&line)) {
                Ok(()) => self.outstanding += 1,
                Err(SendError::Full) => {
                    self.pending = Some(line);
                    return;
                }
                // The server closes; nobody wants the rest.
                Err(_) => self.lines = None,
            }
        }
        if self.outstanding == 0 || now >= self.heard + SILENCE {
            // Not if it is closing already.
            let _ = self.websocket.close(now, CloseCode::NORMAL, "");
        }
    }

    fn receive(&mut self, now: Instant) -> Result<(), Error> {
        let mut out = io::stdout().lock();
        while let Some((event, _)) = self.websocket.next(now)? {
            match event {
                Event::Data(message) => {
                    self.heard = now;
                    self.outstanding = self.outstanding.saturating_sub(1);
                    match message {
                        Message::Text(text) => writeln!(out, "{}", escape_control(text))?,
                        Message::Binary(bytes) => writeln!(out, "{} bytes", bytes.len())?,
                    }
                }
                Event::Close(close) => {
                    writeln!(out, "{}", describe_close(close.code, close.reason))?;
                }
                Event::Ping(_) | Event::Pong(_) => {}
            }
        }
        out.flush()?;
        if self.outstanding == 0 && self.lines.is_none() {
            self.send_lines(now);
        }
        Ok(())
    }
}
