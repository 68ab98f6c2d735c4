//! The server over tokio, on a thread of its own.

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use ws_example_support::PAGE;
use ws_proto::handshake::{AcceptOptions, HandshakeLimits, Response};
use ws_proto::{CloseCode, Config, Event, Message};
use ws_tokio::{Error, WebSocket, receive_request};

use super::{BROWSER, Compression, MAX_MESSAGE, Report, RunningServer};

pub(super) async fn start(compression: Compression) -> RunningServer {
    let (reporter, reports) = mpsc::unbounded_channel();
    let (tell, told) = oneshot::channel();
    // Whoever drops the one end is seen at the other.
    let (stop, stopped) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap().to_string()).unwrap();
            tokio::select! {
                () = serve(listener, compression, reporter) => {}
                _ = stopped => {}
            }
        });
    });
    RunningServer { addr: told.await.unwrap(), reports, stop: Box::new(stop) }
}

async fn serve(listener: TcpListener, compression: Compression, reporter: mpsc::UnboundedSender<Report>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve_connection(stream, compression, reporter.clone()));
    }
}

async fn serve_connection(
    stream: TcpStream,
    compression: Compression,
    reporter: mpsc::UnboundedSender<Report>,
) {
    let Ok(Some(mut ws)) = open(stream, compression, &reporter).await else { return };
    let error = echo(&mut ws).await.err().map(|error| error.to_string());
    let code = |code: Option<CloseCode>| code.map(CloseCode::as_u16);
    let connection = ws.connection();
    let report =
        Report::Closed { local: code(connection.local_close()), peer: code(connection.peer_close()), error };
    let _ = reporter.send(report);
}

async fn open(
    stream: TcpStream,
    compression: Compression,
    reporter: &mpsc::UnboundedSender<Report>,
) -> Result<Option<WebSocket<TcpStream>>, Error> {
    stream.set_nodelay(true)?;
    let incoming = receive_request(stream, HandshakeLimits::default()).await?;
    let request = incoming.request()?;
    if !request.is_upgrade() {
        let html = [("Content-Type", "text/html; charset=utf-8")];
        let response = match request.path() {
            "/" => Response::new(200).headers(&html).body(PAGE.as_bytes()),
            "/browser" => Response::new(200).headers(&html).body(BROWSER.as_bytes()),
            "/result" => {
                let _ = reporter.send(Report::Result(request.query().unwrap_or_default().to_owned()));
                Response::new(200)
            }
            _ => Response::new(404),
        };
        incoming.respond(&response).await?;
        return Ok(None);
    }
    let mut options = AcceptOptions::new();
    if request.subprotocols().any(|offered| offered == "echo") {
        options = options.subprotocol("echo");
    }
    if let Some(config) = compression.config() {
        options = options.deflate(config);
    }
    let config = Config::default().max_message_size(MAX_MESSAGE);
    incoming.accept(&options, config).await.map(Some)
}

async fn echo(ws: &mut WebSocket<TcpStream>) -> Result<(), Error> {
    while let Some((event, mut reply)) = ws.next().await? {
        match event {
            Event::Data(Message::Text("!close")) => reply.close(CloseCode::from(4001), "grüße vom Server")?,
            Event::Data(Message::Text("!ping")) => {
                reply.send_owned(ws_tokio::Message::Ping("from the server".into())).await?;
            }
            Event::Data(message) => reply.send(message).await?,
            Event::Pong(payload @ b"from the server") => {
                reply.send(Message::Text(&format!("pong: {}", String::from_utf8_lossy(payload)))).await?;
            }
            _ => {}
        }
    }
    Ok(())
}
