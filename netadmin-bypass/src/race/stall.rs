//! The kernel's copy is held up at a page that is not there, until the word on
//! the next page has been rewritten (userfaultfd).
//!
//! A guard that has read the word by then has judged the harmless one. This
//! loses no race: it wins each.

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::thread;

use super::arena::{Arena, PAGE};
use super::target::{Attacker, Target};
use super::{Limits, Score, Try};

const UFFD_API: u64 = 0xaa;
const UFFDIO_API: libc::Ioctl = 0xc018_aa3f_u32 as libc::Ioctl;
const UFFDIO_REGISTER: libc::Ioctl = 0xc020_aa00_u32 as libc::Ioctl;
const UFFDIO_COPY: libc::Ioctl = 0xc028_aa03_u32 as libc::Ioctl;
const UFFDIO_REGISTER_MODE_MISSING: u64 = 1;
const UFFD_EVENT_PAGEFAULT: u8 = 0x12;

pub fn run(target: Target, limits: Limits) -> io::Result<Score> {
    if !target.begins_with_a_device() {
        return Err(io::Error::other(format!(
            "{} has nothing before the word to be held up at",
            target.name()
        )));
    }
    let mut attacker = Attacker::new(target, 0)?;
    let score = race(&mut attacker, target, limits);
    attacker.remove()?;
    score
}

fn race(attacker: &mut Attacker, target: Target, limits: Limits) -> io::Result<Score> {
    let mut score = Score {
        threads: 2,
        ..Score::default()
    };
    let [harmless, other] = target.words();
    let page = Page::of(&attacker.arena)?;
    for _ in 0..limits.tries {
        attacker.arena.set(harmless);
        page.take_away()?;
        let arena = &raw const attacker.arena as usize;
        let outcome = thread::scope(|scope| {
            let page = &page;
            let helper = scope.spawn(move || {
                page.wait_for_fault()?;
                // SAFETY: the arena outlives the scope; other threads use the word alone.
                unsafe { &*(arena as *const Arena) }.set(other);
                page.give_back()
            });
            let outcome = attacker.attempt();
            // A refusal that comes before any copy has held up nobody: then this is.
            attacker.arena.touch();
            helper
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("a thread panicked")))?;
            outcome
        })?;
        score.count(outcome);
        score.rewrites += 1;
        if outcome == Try::Won && limits.until_won {
            break;
        }
    }
    Ok(score)
}

/// The first page, which is there only when that suits us.
struct Page {
    faults: OwnedFd,
    start: u64,
    content: Vec<u8>,
}

impl Page {
    fn of(arena: &Arena) -> io::Result<Self> {
        // SAFETY: userfaultfd takes no pointers.
        let raw = unsafe { libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC) };
        let raw = i32::try_from(raw).unwrap_or(-1);
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the page is mapped; its content is only read here.
        let content = unsafe { std::slice::from_raw_parts(arena.first_page(), PAGE) };
        let page = Self {
            // SAFETY: the descriptor was just made, and nobody else owns it.
            faults: unsafe { OwnedFd::from_raw_fd(raw) },
            start: arena.first_page() as u64,
            content: content.to_vec(),
        };
        page.ioctl(UFFDIO_API, &mut [UFFD_API, 0, 0])?;
        let range = [page.start, PAGE as u64, UFFDIO_REGISTER_MODE_MISSING, 0];
        page.ioctl(UFFDIO_REGISTER, &mut range.clone())?;
        Ok(page)
    }

    fn ioctl(&self, command: libc::Ioctl, argument: &mut [u64]) -> io::Result<()> {
        let fd = self.faults.as_raw_fd();
        // SAFETY: each of these commands reads and writes as many words as it is given.
        match unsafe { libc::ioctl(fd, command, argument.as_mut_ptr()) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    fn take_away(&self) -> io::Result<()> {
        // SAFETY: the page is the arena's, which rewrites it from a copy.
        match unsafe { libc::madvise(self.start as *mut _, PAGE, libc::MADV_DONTNEED) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Returns when somebody has been held up.
    fn wait_for_fault(&self) -> io::Result<()> {
        // struct uffd_msg: an event in its first byte, 32 bytes in all.
        let mut message = [0u8; 32];
        let fd = self.faults.as_raw_fd();
        // SAFETY: the kernel writes at most as many bytes as the buffer has.
        let len = unsafe { libc::read(fd, message.as_mut_ptr().cast(), message.len()) };
        match len {
            32 if message[0] == UFFD_EVENT_PAGEFAULT => Ok(()),
            _ => Err(io::Error::other(format!("userfaultfd says {message:x?}"))),
        }
    }

    /// Puts the page back, and lets go on who was held up.
    fn give_back(&self) -> io::Result<()> {
        let from = self.content.as_ptr() as u64;
        self.ioctl(UFFDIO_COPY, &mut [self.start, from, PAGE as u64, 0, 0])
    }
}
