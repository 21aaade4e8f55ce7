//! A byte that a call of our own makes readable.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd as _, BorrowedFd};

use super::route::Route;
use super::sockopt::set_bytes;

/// A connection over `lo` on which a byte has come, that does not count as readable:
/// below `SO_RCVLOWAT`.
#[derive(Debug)]
pub struct HeldByte {
    /// Where it has come to.
    pub receiver: TcpStream,
    _sender: TcpStream,
}

impl HeldByte {
    /// Makes the connection, and waits for the byte.
    pub fn new() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let mut sender = TcpStream::connect(listener.local_addr()?)?;
        let (mut receiver, _) = listener.accept()?;
        sender.write_all(b"..")?;
        receiver.read_exact(&mut [0])?;
        set_low_water(receiver.as_fd(), 1000)?;
        Ok(Self {
            receiver,
            _sender: sender,
        })
    }

    /// Within this call, who waits for it is woken (`tcp_set_rcvlowat`).
    pub fn let_go(&self) -> io::Result<()> {
        set_low_water(self.receiver.as_fd(), 1)
    }
}

fn set_low_water(socket: BorrowedFd<'_>, bytes: i32) -> io::Result<()> {
    let value = bytes.to_ne_bytes();
    Route::USUAL.take(|| set_bytes(socket, libc::SOL_SOCKET, libc::SO_RCVLOWAT, &value))
}
