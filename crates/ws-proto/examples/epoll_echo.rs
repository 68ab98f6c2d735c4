//! An echo server and its clients on raw epoll: `ws-proto` alone, without an adapter.
//!
//! ```text
//! epoll_echo [CONNECTIONS] [MESSAGES]
//! ```
//!
//! One thread serves, another has `CONNECTIONS` clients (100) which send `MESSAGES` messages each (100), one after the
//! other, compare the echo, and close. Then both end, with a summary.
//!
//! `Peer::run` is the run loop of the crate's documentation, with the same numbers; the rest is what a loop over many
//! sockets needs around it: which sockets to wait for, and until when.

#[cfg(target_os = "linux")]
fn main() -> Result<(), linux::Failure> {
    let mut args = std::env::args().skip(1);
    let mut number = |default| args.next().map_or(Ok(default), |arg| arg.parse::<usize>());
    let (connections, messages) = (number(100)?, number(100)?);

    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    let server = std::thread::spawn(move || linux::serve(&listener, connections));
    let checked = linux::connect(address, connections, messages)?;
    let echoed = server.join().map_err(|_| "the server panicked")??;
    println!("{connections} connections: {echoed} messages echoed, {checked} echoes checked");
    if (echoed, checked) == (connections * messages, connections * messages) {
        Ok(())
    } else {
        Err("messages were lost".into())
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("epoll is a part of Linux: this example is for Linux.");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::HashMap;
    use std::io::{self, ErrorKind, Read, Write};
    use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use rustix::event::{Timespec, epoll};
    use rustix::rand::{GetRandomFlags, getrandom};
    use ws_proto::handshake::{
        self, AcceptOptions, ClientHandshake, ClientRequest, HandshakeError, HandshakeLimits,
        ServerHandshake, Uri,
    };
    use ws_proto::{
        Clock, CloseCode, Config, Connection, Event, Instant, MaskKeys, Message, Outbound, RecvBuf, Role,
        SendBuf, TransportAction,
    };

    pub(crate) type Failure = Box<dyn core::error::Error + Send + Sync>;

    /// With so much output waiting, nothing more is received: a peer that sends and does not read is slowed down by
    /// TCP.
    const HIGH_WATER: usize = 64 << 10;
    /// How often one socket is read from before the others have their turn.
    const READS_A_TURN: usize = 16;
    /// What the listener is called among the sockets; connections count from 0.
    const LISTENER: u64 = u64::MAX;

    // What the two sides do with their connections.

    /// The application on one end of a connection.
    trait Application {
        /// The connection is open.
        fn opened(&mut self, conn: &mut Connection, tx: &mut SendBuf<Vec<u8>>);
        /// Something arrived. It lies in the receive buffer, so that `conn` and `tx` are free for the answer.
        fn received(
            &mut self,
            now: Instant,
            conn: &mut Connection,
            tx: &mut SendBuf<Vec<u8>>,
            event: Event<'_>,
        );
    }

    /// Sends back what it gets.
    #[derive(Default)]
    struct Echo {
        echoed: usize,
    }

    impl Application for Echo {
        fn opened(&mut self, _: &mut Connection, _: &mut SendBuf<Vec<u8>>) {}

        fn received(
            &mut self,
            _: Instant,
            conn: &mut Connection,
            tx: &mut SendBuf<Vec<u8>>,
            event: Event<'_>,
        ) {
            // Pings and Close frames are answered already. The output has no limit but the high-water mark.
            if let Event::Data(message) = event
                && conn.send(tx, message).is_ok()
            {
                self.echoed += 1;
            }
        }
    }

    /// Sends its messages, compares what comes back, and closes.
    struct Checker {
        number: usize,
        messages: usize,
        checked: usize,
        failed: bool,
    }

    impl Checker {
        /// What is sent next. One in a hundred is larger than the buffers of the sockets.
        fn message(&self) -> String {
            let size =
                if (self.number + self.checked) % 100 == 99 { 250_000 } else { self.checked * 37 % 2000 };
            format!("message {} of connection {}: {}", self.checked, self.number, "·".repeat(size))
        }

        fn send_next(&mut self, now: Instant, conn: &mut Connection, tx: &mut SendBuf<Vec<u8>>) {
            let sent = if self.checked < self.messages {
                conn.send(tx, Message::Text(&self.message()))
            } else {
                conn.close(now, CloseCode::NORMAL, "that was all")
            };
            self.failed |= sent.is_err();
        }
    }

    impl Application for Checker {
        fn opened(&mut self, conn: &mut Connection, tx: &mut SendBuf<Vec<u8>>) {
            self.send_next(Instant::ZERO, conn, tx);
        }

        fn received(
            &mut self,
            now: Instant,
            conn: &mut Connection,
            tx: &mut SendBuf<Vec<u8>>,
            event: Event<'_>,
        ) {
            let Event::Data(message) = event else { return };
            self.failed |= message != Message::Text(&self.message());
            self.checked += 1;
            self.send_next(now, conn, tx);
        }
    }

    // A connection.

    enum Phase {
        Client(ClientHandshake),
        Open(Box<Connection>),
        /// The response to a request that was no good is on its way.
        Refused(HandshakeError),
        Server(ServerHandshake),
    }

    enum Next {
        /// The connection is over; call no more.
        End,
        /// There is nothing to do before the socket, or the clock, says so.
        Wait,
    }

    struct Peer<A> {
        io: TcpStream,
        uri: String,
        rx: RecvBuf<Vec<u8>>,
        tx: SendBuf<Vec<u8>>,
        phase: Phase,
        application: A,
        /// The other side has ended its direction of the stream.
        eof: bool,
        /// What epoll waits for on behalf of this.
        interest: epoll::EventFlags,
    }

    impl<A: Application> Peer<A> {
        fn server(io: TcpStream, now: Instant, application: A) -> Self {
            let phase = Phase::Server(ServerHandshake::new(HandshakeLimits::default(), now));
            Self::new(io, String::new(), SendBuf::new(Vec::new()), phase, application)
        }

        fn client(io: TcpStream, uri: String, now: Instant, application: A) -> Result<Self, Failure> {
            let mut tx = SendBuf::new(Vec::new());
            let request = ClientRequest::new(Uri::parse(&uri)?);
            let limits = HandshakeLimits::default();
            let handshake = ClientHandshake::start(&request, random()?, limits, now, &mut tx)?;
            Ok(Self::new(io, uri, tx, Phase::Client(handshake), application))
        }

        fn new(io: TcpStream, uri: String, tx: SendBuf<Vec<u8>>, phase: Phase, application: A) -> Self {
            let (rx, interest) = (RecvBuf::default(), epoll::EventFlags::empty());
            Self { io, uri, rx, tx, phase, application, eof: false, interest }
        }

        /// Does what there is to do now.
        fn turn(&mut self, now: Instant) -> Result<Next, Failure> {
            // 1. The opening handshake comes first; when it is over there is a connection.
            match self.open(now)? {
                Some(next) => Ok(next),
                None => self.run(now),
            }
        }

        /// Step 1: the opening handshake, if it is not over.
        fn open(&mut self, now: Instant) -> Result<Option<Next>, Failure> {
            loop {
                let opened = match &mut self.phase {
                    Phase::Open(_) => return Ok(None),
                    Phase::Client(handshake) => {
                        handshake.handle_timeout(now);
                        // A client that is refused has nothing left to say.
                        if handshake.poll_receive(now, &mut self.rx)? {
                            handshake.finish(&ClientRequest::new(Uri::parse(&self.uri)?), &self.rx)?;
                            Some(Role::Client(MaskKeys::from_seed(random()?)))
                        } else {
                            None
                        }
                    }
                    Phase::Server(handshake) => {
                        handshake.handle_timeout(now);
                        let accepted = match handshake.receive(now, &mut self.rx) {
                            Ok(Some(request)) => {
                                request.accept(&AcceptOptions::new(), &mut self.tx).map(|_| true)
                            }
                            Ok(None) => Ok(false),
                            Err(error) => Err(error),
                        };
                        match accepted {
                            Ok(true) => Some(Role::Server),
                            Ok(false) => None,
                            Err(error) => {
                                error.respond(&mut self.tx)?;
                                self.phase = Phase::Refused(error);
                                None
                            }
                        }
                    }
                    Phase::Refused(_) => None,
                };
                if let Some(role) = opened {
                    // What arrived behind the handshake is in `rx`, a response in `tx`: both go on from there.
                    let mut conn = Connection::new(role, Config::default(), now);
                    self.application.opened(&mut conn, &mut self.tx);
                    self.phase = Phase::Open(Box::new(conn));
                    return Ok(None);
                }

                while let Some(mut transmit) = handshake::poll_transmit(&mut self.tx) {
                    match self.io.write(transmit.slices()[0]) {
                        Ok(written) => transmit.advance(written),
                        Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                        Err(error) => return Err(error.into()),
                    }
                }
                if let Phase::Refused(error) = &self.phase {
                    return if self.tx.is_empty() { Err((*error).into()) } else { Ok(Some(Next::Wait)) };
                }
                match self.io.read(self.rx.spare_mut()) {
                    Ok(0) => return Err(HandshakeError::UnexpectedEof.into()),
                    Ok(n) => self.rx.commit(n),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Some(Next::Wait)),
                    Err(error) => return Err(error.into()),
                }
            }
        }

        /// The run loop, for as long as the transport goes along with it.
        fn run(&mut self, now: Instant) -> Result<Next, Failure> {
            let Self { io, rx, tx, phase: Phase::Open(conn), application, eof, .. } = self else {
                return Ok(Next::Wait);
            };
            let mut reads = 0;
            loop {
                // 2. Deadlines that have passed take effect.
                conn.handle_timeout(now);

                // 3. Take every event out of what has arrived, and answer while it lies there; unless the other side
                //    does not read the answers. An error is told at the end, when the peer knows it too.
                let mut more = true;
                while more && tx.buffered_amount() < HIGH_WATER {
                    match conn.receive(now, rx) {
                        Ok(Some(event)) => application.received(now, conn, tx, event),
                        Ok(None) | Err(_) => more = false,
                    }
                }

                // 4. Transmit what waits, in the order that the core gives it.
                while let Some(mut transmit) = conn.poll_transmit(now, tx) {
                    let (slices, n) = transmit.slices().to_io_slices();
                    match io.write_vectored(&slices[..n]) {
                        Ok(written) => transmit.advance(written),
                        Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                        Err(_) => {
                            // The peer is gone; that is what the connection ends with, below.
                            let _ = conn.transport_failed();
                            break;
                        }
                    }
                }
                match conn.transport_action(tx) {
                    TransportAction::Keep => {}
                    TransportAction::ShutdownWrite => {
                        // If the peer is gone by now, reading tells.
                        let _ = io.shutdown(Shutdown::Write);
                    }
                    TransportAction::Close => {
                        return conn.error().map_or(Ok(Next::End), |error| Err(error.into()));
                    }
                }

                // 5. Wait for more, until the next deadline: when there is nothing left to receive from, and nothing to
                //    be read. Level-triggered: what this turn leaves in the socket is reported again.
                if more && tx.buffered_amount() < HIGH_WATER {
                    continue;
                }
                if more || *eof || reads == READS_A_TURN {
                    return Ok(Next::Wait);
                }
                reads += 1;
                match io.read(rx.spare_mut()) {
                    Ok(0) => {
                        *eof = true;
                        let _ = conn.receive_eof();
                    }
                    Ok(n) => rx.commit(n),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Next::Wait),
                    Err(_) => {
                        let _ = conn.transport_failed();
                    }
                }
            }
        }

        /// What this waits for.
        fn wants(&self) -> epoll::EventFlags {
            let (reads, writes) = match &self.phase {
                Phase::Open(conn) => {
                    // Not for the end of a stream that has ended: that would be reported for ever.
                    let reads = !self.eof && self.tx.buffered_amount() < HIGH_WATER;
                    (reads, conn.wants_transmit(&self.tx))
                }
                Phase::Refused(_) => (false, true),
                Phase::Client(_) | Phase::Server(_) => (true, !self.tx.is_empty()),
            };
            let mut flags = epoll::EventFlags::empty();
            flags.set(epoll::EventFlags::IN, reads);
            flags.set(epoll::EventFlags::OUT, writes);
            flags
        }

        fn poll_timeout(&self) -> Option<Instant> {
            match &self.phase {
                Phase::Client(handshake) => handshake.poll_timeout(),
                Phase::Open(conn) => conn.poll_timeout(),
                Phase::Refused(_) => None,
                Phase::Server(handshake) => handshake.poll_timeout(),
            }
        }
    }

    // Many of them.

    /// The connections of one thread, and the epoll instance that watches them.
    struct Peers<A> {
        epoll: OwnedFd,
        clock: Clock,
        peers: HashMap<u64, Peer<A>>,
        next: u64,
        /// What remains of those that have ended.
        done: Vec<A>,
    }

    impl<A: Application> Peers<A> {
        fn new() -> io::Result<Self> {
            let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
            Ok(Self { epoll, clock: Clock::new(), peers: HashMap::new(), next: 0, done: Vec::new() })
        }

        fn add(&mut self, peer: Peer<A>) -> Result<(), Failure> {
            let id = self.next;
            self.next += 1;
            epoll::add(&self.epoll, &peer.io, epoll::EventData::new_u64(id), peer.interest)?;
            self.peers.insert(id, peer);
            self.turn(id)
        }

        /// Lets one of them do what it has to do, and notes what it waits for then.
        fn turn(&mut self, id: u64) -> Result<(), Failure> {
            // It may have ended since epoll had something to report.
            let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
            match peer.turn(self.clock.now()) {
                Ok(Next::Wait) => {
                    let wanted = peer.wants();
                    if wanted != peer.interest {
                        epoll::modify(&self.epoll, &peer.io, epoll::EventData::new_u64(id), wanted)?;
                        peer.interest = wanted;
                    }
                    Ok(())
                }
                ended => {
                    // Closing the socket takes it out of the epoll instance.
                    self.done.extend(self.peers.remove(&id).map(|peer| peer.application));
                    ended.map(|_| ())
                }
            }
        }

        /// Waits until something happens, and deals with it. Gives whether the listener has something.
        fn wait(&mut self) -> Result<bool, Failure> {
            // The earliest of all deadlines; with very many connections this would be a heap.
            let deadline = self.peers.values().filter_map(Peer::poll_timeout).min();
            let left = deadline.map(|at| at.saturating_duration_since(self.clock.now()));
            // Up to the next millisecond, or the last fraction of one would be spent in a busy loop.
            let left = left.map(|left| Duration::from_millis(left.as_nanos().div_ceil(1_000_000) as u64));
            let left = left.map(Timespec::try_from).transpose()?;

            let mut events = Vec::with_capacity(256);
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), left.as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let mut listener = false;
            for event in events {
                match event.data.u64() {
                    LISTENER => listener = true,
                    id => self.turn(id)?,
                }
            }
            let now = self.clock.now();
            let is_due = |peer: &Peer<A>| peer.poll_timeout().is_some_and(|at| at <= now);
            let due: Vec<u64> =
                self.peers.iter().filter(|(_, peer)| is_due(peer)).map(|(&id, _)| id).collect();
            for id in due {
                self.turn(id)?;
            }
            Ok(listener)
        }
    }

    /// Serves so many connections until they end, and gives how many messages were echoed. A real server would only
    /// note the failure of one, and go on.
    pub(crate) fn serve(listener: &TcpListener, connections: usize) -> Result<usize, Failure> {
        let mut peers = Peers::new()?;
        listener.set_nonblocking(true)?;
        let readable = epoll::EventFlags::IN;
        epoll::add(&peers.epoll, listener, epoll::EventData::new_u64(LISTENER), readable)?;
        while peers.done.len() < connections {
            if !peers.wait()? {
                continue;
            }
            loop {
                match listener.accept() {
                    Ok((io, _)) => {
                        prepare(&io)?;
                        let now = peers.clock.now();
                        peers.add(Peer::server(io, now, Echo::default()))?;
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(peers.done.iter().map(|echo| echo.echoed).sum())
    }

    /// Connects so many clients, lets them send so many messages each, and gives how many echoes were right.
    pub(crate) fn connect(
        address: SocketAddr,
        connections: usize,
        messages: usize,
    ) -> Result<usize, Failure> {
        let mut peers = Peers::new()?;
        for number in 0..connections {
            let io = TcpStream::connect(address)?;
            prepare(&io)?;
            let checker = Checker { number, messages, checked: 0, failed: false };
            let now = peers.clock.now();
            peers.add(Peer::client(io, format!("ws://{address}/"), now, checker)?)?;
        }
        while peers.done.len() < connections {
            peers.wait()?;
        }
        if peers.done.iter().any(|checker| checker.failed) {
            return Err("an echo was wrong".into());
        }
        Ok(peers.done.iter().map(|checker| checker.checked).sum())
    }

    fn prepare(io: &TcpStream) -> io::Result<()> {
        io.set_nonblocking(true)?;
        // Frames go out when they are ready: the core puts together what belongs together.
        io.set_nodelay(true)
    }

    /// Bytes that nobody can guess.
    fn random<const N: usize>() -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        // Up to 256 bytes come whole once the system has entropy.
        let n = getrandom(&mut bytes[..], GetRandomFlags::empty())?;
        if n == N { Ok(bytes) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }
}
