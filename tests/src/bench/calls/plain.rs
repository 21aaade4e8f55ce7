//! Calls without a hook, and those that hooks on files and capabilities might slow.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;

use super::{Prepared, check};

const PROGRAM: &std::ffi::CStr = c"/bin/true";

pub fn getppid() -> io::Result<Prepared> {
    Ok(Box::new(|| {
        // SAFETY: takes nothing and cannot fail.
        check(unsafe { libc::getppid() })
    }))
}

pub fn read() -> io::Result<Prepared> {
    let file = File::open("/dev/zero")?;
    let mut byte = 0u8;
    Ok(Box::new(move || {
        // SAFETY: the kernel writes one byte, which is there.
        check(unsafe { libc::read(file.as_raw_fd(), (&raw mut byte).cast(), 1) } as i64)
    }))
}

pub fn write() -> io::Result<Prepared> {
    let file = File::options().write(true).open("/dev/null")?;
    let byte = 0u8;
    Ok(Box::new(move || {
        // SAFETY: the kernel reads one byte, which is there.
        check(unsafe { libc::write(file.as_raw_fd(), (&raw const byte).cast(), 1) } as i64)
    }))
}

pub fn openat() -> io::Result<Prepared> {
    Ok(Box::new(|| {
        // SAFETY: a zero-terminated path; the descriptor is closed at once.
        unsafe {
            let file = libc::open(c"/etc/passwd".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
            check(file)?;
            check(libc::close(file))
        }
    }))
}

pub fn fork() -> io::Result<Prepared> {
    Ok(Box::new(|| {
        // SAFETY: one thread, and the child does nothing but end.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: ends the child.
            unsafe { libc::_exit(0) };
        }
        wait_for(child)
    }))
}

pub fn exec() -> io::Result<Prepared> {
    Ok(Box::new(|| {
        let arguments = [PROGRAM.as_ptr(), std::ptr::null()];
        // SAFETY: one thread, and the child executes another program or ends.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: both lists end with a null pointer.
            unsafe {
                libc::execve(
                    PROGRAM.as_ptr(),
                    arguments.as_ptr(),
                    arguments[1..].as_ptr(),
                );
                libc::_exit(127);
            }
        }
        wait_for(child)
    }))
}

fn wait_for(child: libc::pid_t) -> io::Result<()> {
    check(child)?;
    let mut status = 0;
    // SAFETY: writes one int.
    check(unsafe { libc::waitpid(child, &raw mut status, 0) })?;
    match status {
        0 => Ok(()),
        _ => Err(io::Error::other(format!(
            "the child's status is {status:#x}"
        ))),
    }
}
