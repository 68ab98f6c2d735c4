//! The command lines.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use lexopt::prelude::*;
use ws_proto::Config;
use ws_proto::deflate::{DeflateConfig, WindowBits};
use ws_proto::handshake::{AcceptOptions, ClientRequest, Uri};

const SERVER_USAGE: &str = "\
usage: *_echo_server [options]
  --listen ADDR              where to listen; port 0 picks one    (default 127.0.0.1:9001)
  --threads N                how many threads serve connections   (default 1)
  --max-message-size BYTES   the largest message received         (default 67108864)
  --max-fragments N          the most fragments a message may have (default 131072)
  --handshake-timeout SECS   for the whole opening handshake      (default 10)
  --keepalive SECS           between pings, and to answer one; 0: none (default 20)
  --close-timeout SECS       for the whole closing handshake      (default 10)
  --streaming                echo pieces as they come, as fragments; no limit on messages
  --deflate                  compress with clients that offer permessage-deflate
  --window-bits N            the largest window to agree on, 8 to 15 (default 15)
  --no-context-takeover      compress each message by itself, both ways";

const CLIENT_USAGE: &str = "\
usage: *_echo_client [options] URL
  sends each line of standard input as a text message to URL (ws://host[:port]/path) and prints what comes back
  --deflate                  offer permessage-deflate
  --window-bits N            the largest window to agree on, 8 to 15 (default 15)
  --no-context-takeover      compress each message by itself, both ways";

const AUTOBAHN_USAGE: &str = "\
usage: *_autobahn_client --url ws://ADDR --agent NAME [options]
  walks the cases of an Autobahn fuzzing server, echoing what it receives
  --deflate                  offer permessage-deflate
  --window-bits N            the largest window to agree on, 8 to 15 (default 15)
  --no-context-takeover      compress each message by itself, both ways";

/// The flags about permessage-deflate, which all programs have.
#[derive(Clone, Copy, Debug, Default)]
struct DeflateArgs {
    deflate: bool,
    window_bits: WindowBits,
    no_context_takeover: bool,
}

impl DeflateArgs {
    fn request<'a>(&self, uri: Uri<'a>) -> ClientRequest<'a> {
        let request = ClientRequest::new(uri);
        self.config().map_or(request, |config| request.deflate(config))
    }

    /// Both ways alike.
    fn config(&self) -> Option<DeflateConfig> {
        self.deflate.then(|| {
            DeflateConfig::new()
                .server_max_window_bits(self.window_bits)
                .client_max_window_bits(self.window_bits)
                .server_no_context_takeover(self.no_context_takeover)
                .client_no_context_takeover(self.no_context_takeover)
        })
    }
}

/// The flags of `*_echo_server`.
#[derive(Clone, Debug)]
pub struct ServerArgs {
    /// Where to listen.
    pub listen: SocketAddr,
    /// How many threads serve connections; at least 1.
    pub threads: usize,
    /// The largest message that is received.
    pub max_message_size: usize,
    /// The most fragments that a received message may have.
    pub max_fragments: u32,
    /// For the whole opening handshake.
    pub handshake_timeout: Duration,
    /// Between two keepalive pings, and to answer one.
    pub keepalive: Option<Duration>,
    /// For the whole closing handshake.
    pub close_timeout: Duration,
    /// Echo pieces as they come, as fragments.
    pub streaming: bool,
    deflate: DeflateArgs,
}

impl ServerArgs {
    /// Reads the command line; prints what is wrong with it and exits with status 2, or prints the usage and exits.
    pub fn from_env() -> Self {
        or_exit(Self::parse(lexopt::Parser::from_env()), SERVER_USAGE)
    }

    /// The limits and timeouts of each connection.
    pub fn config(&self) -> Config {
        Config::default()
            .max_message_size(self.max_message_size)
            .max_fragments(self.max_fragments)
            .ping_interval(self.keepalive)
            .pong_timeout(self.keepalive)
            .close_timeout(self.close_timeout)
    }

    /// How requests are accepted.
    pub fn accept_options(&self) -> AcceptOptions<'static> {
        let options = AcceptOptions::new();
        self.deflate.config().map_or(options, |config| options.deflate(config))
    }

    fn parse(mut parser: lexopt::Parser) -> Result<Self, lexopt::Error> {
        let mut args = Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 9001)),
            threads: 1,
            max_message_size: 64 << 20,
            // Beside messages of 64 MiB; conformance suites send 4 MiB in fragments of 64 bytes.
            max_fragments: 131_072,
            handshake_timeout: Duration::from_secs(10),
            keepalive: Some(Duration::from_secs(20)),
            close_timeout: Duration::from_secs(10),
            streaming: false,
            deflate: DeflateArgs::default(),
        };
        while let Some(arg) = parser.next()? {
            match arg {
                Long("listen") => args.listen = value(&mut parser)?,
                Long("threads") => args.threads = value::<usize>(&mut parser)?.max(1),
                Long("max-message-size") => args.max_message_size = value(&mut parser)?,
                Long("max-fragments") => args.max_fragments = value(&mut parser)?,
                Long("handshake-timeout") => args.handshake_timeout = seconds(&mut parser)?,
                Long("keepalive") => {
                    args.keepalive = Some(seconds(&mut parser)?).filter(|secs| !secs.is_zero());
                }
                Long("close-timeout") => args.close_timeout = seconds(&mut parser)?,
                Long("streaming") => args.streaming = true,
                Long("deflate") => args.deflate.deflate = true,
                Long("window-bits") => args.deflate.window_bits = window_bits(&mut parser)?,
                Long("no-context-takeover") => args.deflate.no_context_takeover = true,
                Short('h') | Long("help") => usage(SERVER_USAGE),
                other => return Err(other.unexpected()),
            }
        }
        Ok(args)
    }
}

/// The arguments of `*_echo_client`.
#[derive(Clone, Debug)]
pub struct ClientArgs {
    /// Where to connect.
    pub url: String,
    deflate: DeflateArgs,
}

impl ClientArgs {
    /// Reads the command line; prints what is wrong with it and exits with status 2, or prints the usage and exits.
    pub fn from_env() -> Self {
        or_exit(Self::parse(lexopt::Parser::from_env()), CLIENT_USAGE)
    }

    /// The request for what is at `uri`.
    pub fn request<'a>(&self, uri: Uri<'a>) -> ClientRequest<'a> {
        self.deflate.request(uri)
    }

    fn parse(mut parser: lexopt::Parser) -> Result<Self, lexopt::Error> {
        let (mut url, mut deflate) = (None, DeflateArgs::default());
        while let Some(arg) = parser.next()? {
            match arg {
                Long("deflate") => deflate.deflate = true,
                Long("window-bits") => deflate.window_bits = window_bits(&mut parser)?,
                Long("no-context-takeover") => deflate.no_context_takeover = true,
                Value(given) if url.is_none() => url = Some(given.string()?),
                Short('h') | Long("help") => usage(CLIENT_USAGE),
                other => return Err(other.unexpected()),
            }
        }
        url.map(|url| Self { url, deflate }).ok_or_else(|| "the URL is missing".into())
    }
}

/// The flags of `*_autobahn_client`.
#[derive(Clone, Debug)]
pub struct AutobahnArgs {
    /// The fuzzing server.
    pub url: String,
    /// The name under which the results are reported.
    pub agent: String,
    deflate: DeflateArgs,
}

impl AutobahnArgs {
    /// Reads the command line; prints what is wrong with it and exits with status 2, or prints the usage and exits.
    pub fn from_env() -> Self {
        or_exit(Self::parse(lexopt::Parser::from_env()), AUTOBAHN_USAGE)
    }

    /// The request for what is at `uri`.
    pub fn request<'a>(&self, uri: Uri<'a>) -> ClientRequest<'a> {
        self.deflate.request(uri)
    }

    /// The URL of the resource that says how many cases there are.
    pub fn case_count_url(&self) -> String {
        format!("{}/getCaseCount", self.base())
    }

    /// The URL of one case; the first is number 1.
    pub fn case_url(&self, number: usize) -> String {
        format!("{}/runCase?case={number}&agent={}", self.base(), self.agent)
    }

    /// The URL that makes the server write its reports.
    pub fn report_url(&self) -> String {
        format!("{}/updateReports?agent={}", self.base(), self.agent)
    }

    fn base(&self) -> &str {
        self.url.trim_end_matches('/')
    }

    fn parse(mut parser: lexopt::Parser) -> Result<Self, lexopt::Error> {
        let (mut url, mut agent, mut deflate) = (None, None, DeflateArgs::default());
        while let Some(arg) = parser.next()? {
            match arg {
                Long("deflate") => deflate.deflate = true,
                Long("window-bits") => deflate.window_bits = window_bits(&mut parser)?,
                Long("no-context-takeover") => deflate.no_context_takeover = true,
                Long("url") => url = Some(parser.value()?.string()?),
                Long("agent") => agent = Some(parser.value()?.string()?),
                Short('h') | Long("help") => usage(AUTOBAHN_USAGE),
                other => return Err(other.unexpected()),
            }
        }
        match (url, agent) {
            (Some(url), Some(agent)) => Ok(Self { url, agent, deflate }),
            _ => Err("--url and --agent are needed".into()),
        }
    }
}

fn value<T: FromStr>(parser: &mut lexopt::Parser) -> Result<T, lexopt::Error>
where
    T::Err: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    parser.value()?.parse()
}

fn window_bits(parser: &mut lexopt::Parser) -> Result<WindowBits, lexopt::Error> {
    parser
        .value()?
        .parse_with(|text| text.parse().ok().and_then(WindowBits::new).ok_or("not a number from 8 to 15"))
}

/// Seconds, with a fraction if need be.
fn seconds(parser: &mut lexopt::Parser) -> Result<Duration, lexopt::Error> {
    parser.value()?.parse_with(|text| {
        let secs = text.parse::<f64>().map_err(|error| error.to_string())?;
        Duration::try_from_secs_f64(secs).map_err(|error| error.to_string())
    })
}

fn usage(text: &str) -> ! {
    println!("{text}");
    std::process::exit(0);
}

fn or_exit<T>(parsed: Result<T, lexopt::Error>, usage: &str) -> T {
    parsed.unwrap_or_else(|error| {
        eprintln!("{error}\n{usage}");
        std::process::exit(2);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(args: &[&str]) -> Result<ServerArgs, String> {
        ServerArgs::parse(lexopt::Parser::from_args(args)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_defaults_of_the_echo_server_are_the_documented_ones() {
        let args = server(&[]).unwrap();
        assert_eq!(args.listen.to_string(), "127.0.0.1:9001");
        assert_eq!(args.max_message_size, 64 << 20);
        assert_eq!(args.threads, 1);
        assert_eq!(args.deflate.config(), None);
    }

    #[test]
    fn every_flag_of_the_echo_server_is_understood() {
        let args = server(&[
            "--listen=[::1]:0",
            "--threads",
            "2",
            "--max-message-size",
            "1000",
            "--max-fragments",
            "5",
            "--handshake-timeout",
            "0.5",
            "--keepalive",
            "0",
            "--close-timeout",
            "3",
            "--streaming",
            "--deflate",
            "--window-bits",
            "10",
            "--no-context-takeover",
        ])
        .unwrap();
        assert_eq!(args.listen.to_string(), "[::1]:0");
        assert_eq!((args.threads, args.max_message_size, args.max_fragments), (2, 1000, 5));
        assert_eq!(args.handshake_timeout, Duration::from_millis(500));
        assert_eq!(args.keepalive, None);
        assert_eq!(args.close_timeout, Duration::from_secs(3));
        assert!(args.streaming);
        assert!(args.deflate.deflate && args.deflate.no_context_takeover);
        assert_eq!(args.deflate.window_bits.get(), 10);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for args in [
            &["--listen", "nowhere"][..],
            &["--thread", "2"],
            &["--keepalive", "-1"],
            &["--window-bits", "7"],
            &["more"],
        ] {
            assert!(server(args).is_err(), "{args:?}");
        }
    }
}
