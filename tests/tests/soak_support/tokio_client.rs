//! The clients, over tokio: a task each.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use ws_proto::CloseCode;
use ws_proto::handshake::{ClientRequest, Uri};
use ws_tokio::{Message, WebSocket, connect_over};

use super::{Accounts, End, PLEASE_CLOSE, Plan, Task, config, count, limits};

pub(crate) fn run(task: Task<'_>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        // So that the backlog of the server suffices.
        let connecting = Arc::new(Semaphore::new(200));
        let accounts = Arc::new(Accounts::default());
        let next = Arc::new(AtomicUsize::new(0));
        let addresses: Arc<[_]> = (0..16).map(|n| task.address(n)).collect();
        let mut clients = tokio::task::JoinSet::new();
        for _ in 0..task.connections {
            let (connecting, accounts, next) = (connecting.clone(), accounts.clone(), next.clone());
            let (addresses, until) = (addresses.clone(), task.until);
            clients.spawn(async move {
                while Instant::now() < until {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let permit = connecting.acquire().await.unwrap();
                    let stream = TcpStream::connect(addresses[n % 16]).await.unwrap();
                    stream.set_nodelay(true).unwrap();
                    let request = ClientRequest::new(Uri::parse("ws://localhost/").unwrap());
                    let (ws, _) = connect_over(stream, &request, limits(), config()).await.unwrap();
                    drop(permit);
                    count(&accounts.opened);
                    let was_clean = converse(ws, Plan::new(n), until, &accounts).await;
                    count(if was_clean { &accounts.clean } else { &accounts.broken });
                }
            });
        }
        let mut tick = tokio::time::interval(Duration::from_millis(500));
        loop {
            tokio::select! {
                ended = clients.join_next() => match ended {
                    Some(ended) => ended.unwrap(),
                    None => break,
                },
                _ = tick.tick() => if Instant::now() < task.until { (task.look)() },
            }
        }
        for (to, from) in [
            (&task.accounts.opened, &accounts.opened),
            (&task.accounts.clean, &accounts.clean),
            (&task.accounts.broken, &accounts.broken),
            (&task.accounts.messages, &accounts.messages),
        ] {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    });
}

/// Carries out a plan; says whether the end was clean.
async fn converse(mut ws: WebSocket<TcpStream>, mut plan: Plan, until: Instant, accounts: &Accounts) -> bool {
    while Instant::now() < until
        && let Some(message) = plan.message()
    {
        ws.send(Message::binary(message.clone())).await.unwrap();
        assert_eq!(next_data(&mut ws).await, Some(Message::binary(message)), "lost or damaged");
        count(&accounts.messages);
        // Pings are answered meanwhile.
        let pause = tokio::time::sleep(plan.pause());
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => break,
                message = ws.recv() => assert!(matches!(message, Ok(Some(Message::Ping(_) | Message::Pong(_))))),
            }
        }
    }
    match plan.end() {
        End::Break => {
            ws.send(Message::text("an answer that nobody reads")).await.unwrap();
            return false;
        }
        End::Close => ws.close(CloseCode::NORMAL, "that is all").await.unwrap(),
        End::ServerCloses => {
            ws.send(Message::text(PLEASE_CLOSE)).await.unwrap();
            assert_eq!(next_data(&mut ws).await, None);
            assert_eq!(ws.connection().peer_close(), Some(CloseCode::GOING_AWAY));
        }
    }
    assert!(ws.connection().is_clean());
    true
}

async fn next_data(ws: &mut WebSocket<TcpStream>) -> Option<Message> {
    loop {
        let message = ws.recv().await.unwrap()?;
        if message.is_data() {
            return Some(message);
        }
    }
}
