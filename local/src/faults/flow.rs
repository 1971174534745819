//! The bytes of one connection, both ways, and what a fault does to them.

use super::dependency::Protocol;
use super::kind::Kind;
use super::postgres;
use bytes::BytesMut;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;

const CHUNK_BYTES: usize = 16 * 1024;
/// What a connection that stands still takes in at most.
const HELD_BYTES_MAX: usize = 256 * 1024;
/// So long the bytes before a reset need to get away.
const CUT_PAUSE: Duration = Duration::from_millis(20);

/// How a connection ends.
#[derive(Debug)]
pub(super) enum End {
    /// Quietly.
    Closed,
    /// With a reset of both sides.
    Reset,
    /// With words to the client.
    Say(Vec<u8>),
    /// A database's start-up that began with these bytes is refused.
    TooManyConnections(BytesMut),
    /// It goes on as HTTP, with a request that begins with these bytes.
    HandOver(BytesMut),
}

/// Which side speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Client,
    Dependency,
}

#[derive(Debug, Default)]
struct State {
    /// Who spoke last; nobody at first.
    speaker: Option<Side>,
    /// Bytes of the present answer.
    answered: u64,
    /// Something was lost, so the connection can never be whole again.
    lost: bool,
    in_engine: bool,
}

/// What happens to bytes that came.
enum Step {
    Write,
    Lose,
    Wait,
    Delay(Duration),
    CutAfter(usize),
    End(fn(BytesMut) -> End),
}

/// A connection's traffic.
pub(super) struct Flow {
    protocol: Protocol,
    fault: watch::Receiver<Option<Kind>>,
    state: Mutex<State>,
}

impl Flow {
    pub(super) fn new(protocol: Protocol, fault: watch::Receiver<Option<Kind>>) -> Self {
        Self {
            protocol,
            fault,
            state: Mutex::default(),
        }
    }

    /// From now on the dependency's side is an engine that handles requests one by one.
    pub(super) fn in_engine(&self) {
        self.state().in_engine = true;
    }

    /// Returns when the connection has to be reset, whatever is going on in it: it is refused, or
    /// it was half open, lost something, and the network is whole again.
    pub(super) async fn cut_off(&self) {
        let mut fault = self.fault.clone();
        loop {
            let now = *fault.borrow_and_update();
            let half_open = now == Some(Kind::HalfOpen);
            if now == Some(Kind::Refuse) || !half_open && self.state().lost {
                return;
            }
            if fault.changed().await.is_err() {
                return;
            }
        }
    }

    /// Passes bytes both ways until the connection ends. The client has said `said` already.
    pub(super) async fn run(
        &self,
        client: (impl AsyncRead + Unpin, impl AsyncWrite + Unpin),
        dependency: (impl AsyncRead + Unpin, impl AsyncWrite + Unpin),
        said: BytesMut,
    ) -> End {
        let there = self.pass(Side::Client, client.0, dependency.1, said);
        let back = self.pass(Side::Dependency, dependency.0, client.1, BytesMut::new());
        match futures::future::try_join(there, back).await {
            Ok(_) => End::Closed,
            Err(end) => end,
        }
    }

    /// One direction, until its end was passed on.
    async fn pass(
        &self,
        side: Side,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        mut held: BytesMut,
    ) -> Result<(), End> {
        let mut fault = self.fault.clone();
        loop {
            if held.is_empty() && !self.take_in(&mut from, &mut held).await? {
                return self.pass_end(side, &mut fault, to).await;
            }
            let now = *fault.borrow_and_update();
            match self.step(now, side, &held) {
                Step::Write => {
                    to.write_all(&held).await.map_err(|_| End::Reset)?;
                    held.clear();
                }
                Step::Lose => held.clear(),
                Step::Wait => self.wait(side, &mut fault, &mut from, &mut held).await?,
                Step::Delay(delay) => tokio::select! {
                    () = tokio::time::sleep(delay) => self.speaks(side),
                    _ = fault.changed() => {}
                },
                Step::CutAfter(bytes) => {
                    held.truncate(bytes);
                    to.write_all(&held).await.ok();
                    tokio::time::sleep(CUT_PAUSE).await;
                    return Err(End::Reset);
                }
                Step::End(end) => return Err(end(held)),
            }
        }
    }

    /// Reads; answers whether there was anything before the end.
    async fn take_in(
        &self,
        from: &mut (impl AsyncRead + Unpin),
        held: &mut BytesMut,
    ) -> Result<bool, End> {
        held.reserve(CHUNK_BYTES);
        match from.read_buf(held).await {
            Ok(bytes) => Ok(bytes > 0),
            // Under these, what the other side hears is nothing at all.
            Err(_) if self.is_silent() => Ok(false),
            Err(_) => Err(End::Reset),
        }
    }

    /// One side has said all. While it may not be heard the client that leaves ends the connection,
    /// and what the dependency's end means waits.
    async fn pass_end(
        &self,
        side: Side,
        fault: &mut watch::Receiver<Option<Kind>>,
        mut to: impl AsyncWrite + Unpin,
    ) -> Result<(), End> {
        while self.is_silent() {
            if side == Side::Client {
                return Err(End::Closed);
            }
            fault.changed().await.map_err(|_| End::Reset)?;
        }
        to.shutdown().await.ok();
        Ok(())
    }

    /// Stands still until the fault changes, and notices when a client leaves: what it gave up on
    /// is not delivered later.
    async fn wait(
        &self,
        side: Side,
        fault: &mut watch::Receiver<Option<Kind>>,
        from: &mut (impl AsyncRead + Unpin),
        held: &mut BytesMut,
    ) -> Result<(), End> {
        let listens = side == Side::Client && held.len() < HELD_BYTES_MAX;
        tokio::select! {
            changed = fault.changed() => changed.map_err(|_| End::Reset),
            more = self.take_in(from, held), if listens => match more? {
                true => Ok(()),
                false => Err(End::Closed),
            },
        }
    }

    fn step(&self, fault: Option<Kind>, side: Side, held: &[u8]) -> Step {
        let begins = self.state().speaker != Some(side);
        match fault {
            Some(Kind::Reset) => return Step::End(|_| End::Reset),
            Some(Kind::Hang) => return Step::Wait,
            Some(Kind::HalfOpen) => {
                self.state().lost = true;
                return Step::Lose;
            }
            Some(Kind::Latency(delay)) if begins => return Step::Delay(delay),
            Some(kind @ (Kind::Error(_) | Kind::Throttle(_) | Kind::ChargeThenDrop))
                if begins && side == Side::Client =>
            {
                if let Some(end) = self.refusal(kind, held) {
                    return Step::End(end);
                }
            }
            _ => {}
        }
        if begins {
            self.speaks(side);
        }
        if side == Side::Dependency {
            let before = self.state().answered;
            if let Some(left) = left_of(fault, before, held.len()) {
                return Step::CutAfter(left);
            }
            self.state().answered += held.len() as u64;
        }
        Step::Write
    }

    /// How a request that begins with `held` ends the connection, if it does.
    fn refusal(&self, kind: Kind, held: &[u8]) -> Option<fn(BytesMut) -> End> {
        let state = self.state();
        let first = state.speaker.is_none();
        match (self.protocol, kind) {
            (Protocol::Http(_), _) => (!state.in_engine).then_some(End::HandOver as _),
            (Protocol::Postgres, Kind::Error(percent)) => {
                let begins = first || postgres::begins_statement(held);
                (begins && hits(percent)).then_some(|_| End::Reset)
            }
            (Protocol::Postgres, Kind::Throttle(percent)) => {
                (first && hits(percent)).then_some(End::TooManyConnections as _)
            }
            (Protocol::Smtp, Kind::Error(percent)) => {
                (begins_mail(held) && hits(percent)).then_some(|_| End::Reset)
            }
            (Protocol::Smtp, Kind::Throttle(percent)) => (begins_mail(held) && hits(percent))
                .then_some(|_| {
                    End::Say(b"421 4.7.0 Too many messages, try again later\r\n".to_vec())
                }),
            _ => None,
        }
    }

    fn speaks(&self, side: Side) {
        let mut state = self.state();
        state.speaker = Some(side);
        state.answered = 0;
    }

    fn is_silent(&self) -> bool {
        matches!(*self.fault.borrow(), Some(Kind::Hang | Kind::HalfOpen))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What may still be said of an answer, when that is less than `more`.
fn left_of(fault: Option<Kind>, before: u64, more: usize) -> Option<usize> {
    let Some(Kind::Cut(limit)) = fault else {
        return None;
    };
    let left = usize::try_from(limit.saturating_sub(before)).unwrap_or(usize::MAX);
    (left < more).then_some(left)
}

fn begins_mail(held: &[u8]) -> bool {
    held.get(..4)
        .is_some_and(|word| word.eq_ignore_ascii_case(b"MAIL"))
}

/// Whether this one of a hundred is among `percent`.
pub(super) fn hits(percent: u8) -> bool {
    rand::random_range(0..100) < percent
}
