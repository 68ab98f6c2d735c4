//! A WebSocket server and client with neither the standard library nor an allocator; see `Cargo.toml`.
#![no_std]

use ws_proto::{
    CloseCode, Config, Connection, Event, Instant, MaskKeys, Message, Outbound, RecvBuf, Role, SendBuf, Storage,
};

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

/// Sends a text from a client to a server that echoes it, closes, and says 0 if all of that came about.
#[unsafe(no_mangle)]
pub extern "C" fn ws_proof() -> i32 {
    match talk() {
        Some(()) => 0,
        None => -1,
    }
}

fn talk() -> Option<()> {
    let now = Instant::from_millis(1);
    let config = Config::new();
    let mut client = Connection::new(Role::Client(MaskKeys::from_seed([1; 32])), config, now);
    let mut server = Connection::new(Role::Server, config, now);
    let mut memory = [0; 256];
    let (mut client_rx, mut server_rx) = (RecvBuf::new([0; 256]), RecvBuf::new(&mut memory[..]));
    let (mut client_tx, mut server_tx) = (SendBuf::new([0; 256]), SendBuf::new([0; 256]));

    client.send(&mut client_tx, Message::Text("Hello")).ok()?;
    client.ping(b"?").ok()?;
    pass(&mut client, &mut client_tx, &mut server_rx, now);
    while let Some(event) = server.receive(now, &mut server_rx).ok()? {
        if let Event::Data(message) = event {
            server.send(&mut server_tx, message).ok()?;
        }
    }
    pass(&mut server, &mut server_tx, &mut client_rx, now);
    let (mut echoed, mut answered) = (false, false);
    while let Some(event) = client.receive(now, &mut client_rx).ok()? {
        match event {
            Event::Data(message) => echoed = message == Message::Text("Hello"),
            Event::Pong(payload) => answered = payload == b"?",
            _ => return None,
        }
    }
    client.close(now, CloseCode::NORMAL, "").ok()?;
    pass(&mut client, &mut client_tx, &mut server_rx, now);
    server.receive(now, &mut server_rx).ok()??;
    pass(&mut server, &mut server_tx, &mut client_rx, now);
    client.receive(now, &mut client_rx).ok()??;
    client.handle_timeout(client.poll_timeout()?);
    (echoed && answered && client.is_clean() && server.is_clean()).then_some(())
}

fn pass<O: Outbound, S: Storage>(from: &mut Connection, tx: &mut O, rx: &mut RecvBuf<S>, now: Instant) {
    while let Some(mut transmit) = from.poll_transmit(now, tx) {
        let n = rx.extend_from_slice(transmit.slices()[0]);
        if n == 0 {
            return;
        }
        transmit.advance(n);
    }
}
