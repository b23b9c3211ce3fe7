/*!
How an accepted connection comes to the shard that serves it.

The admin thread accepts and has a [`ShardSender`] for each shard; the shard's
thread reads the commands from its [`ShardInbox`]. A connection is counted from
the moment it is sent until its [`ConnectionGuard`] is dropped, so that the
counts hold also for connections that are still on their way.
*/

use super::permit::ConnectionPermit;
use crate::telemetry::ShardLoad;
use std::{
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::sync::mpsc;

/// A connection on its way to a shard.
#[derive(Debug)]
pub(crate) struct AcceptedConnection {
    /// The key of the listener that accepted it.
    pub(crate) listener: usize,
    /// The socket, which no runtime has registered yet.
    pub(crate) socket: TcpStream,
    /// The address of the sender.
    pub(crate) peer: SocketAddr,
    /// Counts the connection in what there may be, to its end.
    pub(crate) permit: ConnectionPermit,
}

/// What a shard is asked to do.
#[derive(Debug)]
pub(crate) enum ShardCommand {
    /// Serve a connection.
    Serve(AcceptedConnection),
    /// Close this many connections once their requests are answered.
    CloseConnections(usize),
    /// Close the connection of this number at once: it gives way to another.
    CloseNow(u64),
}

/// The admin thread's end of the way to a shard.
#[derive(Clone, Debug)]
pub(crate) struct ShardSender {
    commands: mpsc::UnboundedSender<ShardCommand>,
    connections: Arc<AtomicUsize>,
    load: ShardLoad,
}

/// The shard's end.
#[derive(Debug)]
pub(crate) struct ShardInbox {
    commands: mpsc::UnboundedReceiver<ShardCommand>,
    connections: Arc<AtomicUsize>,
}

/// Keeps one connection in its shard's count.
#[derive(Debug)]
pub(crate) struct ConnectionGuard(Arc<AtomicUsize>);

impl ShardSender {
    /// Makes both ends; `load` is how busy the shard says it is.
    pub(crate) fn new(load: ShardLoad) -> (Self, ShardInbox) {
        let (sender, commands) = mpsc::unbounded_channel();
        let connections = Arc::<AtomicUsize>::default();
        let inbox = ShardInbox {
            commands,
            connections: Arc::clone(&connections),
        };
        let sender = Self {
            commands: sender,
            connections,
            load,
        };
        (sender, inbox)
    }

    /// Returns how many connections the shard has.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Returns how busy the shard is.
    pub(crate) fn load(&self) -> &ShardLoad {
        &self.load
    }

    /// Sends a connection to the shard. A shard that is shutting down drops it.
    pub(crate) fn serve(&self, connection: AcceptedConnection) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        if self.commands.send(ShardCommand::Serve(connection)).is_err() {
            self.connections.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Asks the shard to close `count` connections, so that their senders
    /// connect again and are placed by the present load.
    pub(crate) fn close_connections(&self, count: usize) {
        // A shard that is shutting down closes all of them.
        let _ = self.commands.send(ShardCommand::CloseConnections(count));
    }

    /// Asks the shard to close the connection of this number at once.
    pub(crate) fn close_now(&self, number: u64) {
        // A shard that is shutting down closes all of them.
        let _ = self.commands.send(ShardCommand::CloseNow(number));
    }
}

impl ShardInbox {
    /// Waits for the next command; None: no sender is left.
    pub(crate) async fn next(&mut self) -> Option<ShardCommand> {
        self.commands.recv().await
    }

    /// Returns the guard of a connection that has just come.
    pub(crate) fn guard(&self) -> ConnectionGuard {
        ConnectionGuard(Arc::clone(&self.connections))
    }

    /// Refuses all further commands.
    pub(crate) fn close(&mut self) {
        self.commands.close();
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
