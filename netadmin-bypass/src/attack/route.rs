//! How a call reaches the kernel: by which ABI, and on which way.
//!
//! A route is in force for what a closure does on the thread that runs it: the
//! attacks themselves need not know.

use std::cell::Cell;

/// The calling convention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abi {
    /// The program's own.
    Native,
    /// `int 0x80` from 64-bit code, which the kernel takes for a 32-bit call.
    Int80,
    /// x32: 64-bit registers, 32-bit pointers. Most kernels have it switched off.
    X32,
}

/// The call that carries the attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The usual one: `ioctl`, `setsockopt`, `send`, `write`.
    Usual,
    /// `sendmsg(2)`.
    Sendmsg,
    /// `sendmmsg(2)`.
    Sendmmsg,
    /// `write(2)` on a socket.
    Write,
    /// `writev(2)`.
    Writev,
    /// `splice(2)` from a pipe.
    Splice,
    /// `sendfile(2)` from a file in memory.
    Sendfile,
    /// `socketcall(2)`, which 32-bit code has.
    Socketcall,
    /// io_uring, carried out by the thread that submits.
    Ring,
    /// io_uring with `IOSQE_ASYNC`: by a worker thread.
    RingWorker,
    /// io_uring with `IORING_SETUP_SQPOLL`: by a thread that polls.
    RingPoll,
    /// io_uring, carried out on the way out of another call of the submitter's,
    /// whose saved registers are still there.
    RingTaskWork,
}

/// An ABI and an arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The calling convention.
    pub abi: Abi,
    /// The call.
    pub arrival: Arrival,
}

impl Abi {
    /// The name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native if cfg!(target_pointer_width = "32") => "i386",
            Self::Native => "x86-64",
            Self::Int80 => "int 0x80",
            Self::X32 => "x32",
        }
    }

    /// Whether pointers and the structs that hold them are the 32-bit ones.
    pub fn is_narrow(self) -> bool {
        self != Self::Native || cfg!(target_pointer_width = "32")
    }
}

impl Arrival {
    /// The name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Usual => "call",
            Self::Sendmsg => "sendmsg",
            Self::Sendmmsg => "sendmmsg",
            Self::Write => "write",
            Self::Writev => "writev",
            Self::Splice => "splice",
            Self::Sendfile => "sendfile",
            Self::Socketcall => "socketcall",
            Self::Ring => "io_uring",
            Self::RingWorker => "io_uring worker",
            Self::RingPoll => "io_uring sqpoll",
            Self::RingTaskWork => "io_uring task work",
        }
    }

    /// Whether io_uring carries it.
    pub fn is_ring(self) -> bool {
        matches!(
            self,
            Self::Ring | Self::RingWorker | Self::RingPoll | Self::RingTaskWork
        )
    }
}

impl Route {
    /// The program's own ABI and the usual call.
    pub const USUAL: Self = Self::new(Abi::Native, Arrival::Usual);

    /// Both together.
    pub const fn new(abi: Abi, arrival: Arrival) -> Self {
        Self { abi, arrival }
    }

    /// The route in force on this thread.
    pub fn current() -> Self {
        CURRENT.get()
    }

    /// Runs `work` with this route in force.
    pub fn take<T>(self, work: impl FnOnce() -> T) -> T {
        let before = CURRENT.replace(self);
        let result = work();
        CURRENT.set(before);
        result
    }
}

thread_local! {
    static CURRENT: Cell<Route> = const { Cell::new(Route::USUAL) };
}

#[cfg(test)]
mod tests {
    use super::{Abi, Arrival, Route};

    #[test]
    fn a_route_is_in_force_for_a_closure_alone() {
        let route = Route::new(Abi::Int80, Arrival::Writev);
        assert_eq!(route.take(Route::current), route);
        assert_eq!(Route::current(), Route::USUAL);
    }
}
