//! Path globs in a form that the kernel matches, when a cgroup is made and before
//! any task can enter it.
//!
//! A path is `/` and a name, as often as it has components; the root is empty. A
//! glob is compiled to bytes: what is no code stands for itself (globs have no
//! control characters). The matcher goes on by steps of bounded length, and only
//! ever reopens the last `*` of the component at hand and the last `**`.

/// The longest compiled glob, in bytes.
pub const GLOB_LEN: usize = 256;
/// The longest path that is matched, in bytes (`TRACE_CGROUP_PATH_LEN`).
pub const PATH_LEN: usize = 1024;
/// How many globs a bank holds.
pub const MAX_GLOBS: usize = 1024;

/// `?`: one character.
pub const ANY_ONE: u8 = 1;
/// `*`: any run of characters within a component.
pub const ANY_RUN: u8 = 2;
/// `**`: any number of components.
pub const ANY_DEPTH: u8 = 3;
/// `[…]`: an ASCII character of the set of bits that follows.
pub const CLASS: u8 = 4;
/// `[!…]`: a character outside the set of bits that follows.
pub const NOT_CLASS: u8 = 5;
/// What cannot be compiled: the agent has to decide, and until then it matches.
pub const UNSURE: u8 = 6;
/// The bytes of a class: a bit for each ASCII character.
pub const CLASS_LEN: usize = 16;

/// A compiled glob, and the policy that it leads to.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GlobRecord {
    /// Index into the policy map.
    pub policy: u32,
    /// How many bytes of `code` are in use.
    pub len: u32,
    /// The glob.
    pub code: [u8; GLOB_LEN],
}

const _: () = assert!(size_of::<GlobRecord>() == 8 + GLOB_LEN);

impl GlobRecord {
    /// A glob without a byte, which matches the root.
    pub const EMPTY: Self = Self {
        policy: 0,
        len: 0,
        code: [0; GLOB_LEN],
    };
}

/// A path as the tracepoint gives it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PathRecord {
    /// How many bytes of `bytes` are in use.
    pub len: u32,
    /// 1 if there was more.
    pub cut: u32,
    /// The path.
    pub bytes: [u8; PATH_LEN],
}

impl PathRecord {
    #[inline(always)]
    fn at(&self, place: u32) -> u8 {
        self.bytes[place as usize & (PATH_LEN - 1)]
    }
}

/// Where the match of one glob against a path is.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct GlobWalk {
    at: u32,
    seen: u32,
    /// Where to go on after the last `*`, or 0 (no `*` is the first of a glob).
    star_at: u32,
    star_seen: u32,
    /// 1 + where to go on after the last `**`, or 0.
    depth_at: u32,
    depth_seen: u32,
    seeking: u32,
    /// Explicit padding, always zero.
    pub reserved: u32,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GlobStep {
    /// It is not decided yet.
    More,
    /// The glob matches.
    Match,
    /// It does not.
    NoMatch,
    /// The agent has to decide.
    Unsure,
}

impl GlobWalk {
    /// One step of the match.
    #[inline(always)]
    pub fn step(&mut self, glob: &GlobRecord, path: &PathRecord) -> GlobStep {
        if self.seeking != 0 {
            return self.seek(path);
        }
        let op = glob.code[self.at as usize & (GLOB_LEN - 1)];
        let ended = self.at >= glob.len;
        if self.seen >= path.len {
            return self.at_the_end(ended, op, path);
        }
        let byte = path.at(self.seen);
        if ended {
            return self.reopen(path);
        }
        match op {
            // In the middle of a name no component begins.
            ANY_DEPTH if byte != b'/' => self.reopen(path),
            ANY_DEPTH => {
                self.at += 1;
                self.depth_at = self.at + 1;
                self.depth_seen = self.seen;
                self.star_at = 0;
                GlobStep::More
            }
            ANY_RUN => {
                self.at += 1;
                self.star_at = self.at;
                self.star_seen = self.seen;
                GlobStep::More
            }
            UNSURE => GlobStep::Unsure,
            ANY_ONE => self.take(begins_character(byte), 1, length(byte), path),
            CLASS => self.take(
                byte < 0x80 && self.is_member(glob, byte),
                1 + CLASS_LEN as u32,
                1,
                path,
            ),
            NOT_CLASS => {
                let other = if byte < 0x80 {
                    byte != b'/' && !self.is_member(glob, byte)
                } else {
                    begins_character(byte)
                };
                self.take(other, 1 + CLASS_LEN as u32, length(byte), path)
            }
            _ => {
                let same = op == byte;
                if same && op == b'/' {
                    // The component before is matched, whatever its star took.
                    self.star_at = 0;
                }
                self.take(same, 1, 1, path)
            }
        }
    }

    #[inline(always)]
    fn is_member(&self, glob: &GlobRecord, byte: u8) -> bool {
        let place = self.at as usize + 1 + (byte >> 3) as usize;
        glob.code[place & (GLOB_LEN - 1)] >> (byte & 7) & 1 != 0
    }

    #[inline(always)]
    fn take(&mut self, fits: bool, code: u32, bytes: u32, path: &PathRecord) -> GlobStep {
        if !fits {
            return self.reopen(path);
        }
        self.at += code;
        self.seen += bytes;
        GlobStep::More
    }

    /// Of what is left of the glob, only stars match nothing.
    #[inline(always)]
    fn at_the_end(&mut self, ended: bool, op: u8, path: &PathRecord) -> GlobStep {
        if path.cut != 0 {
            return GlobStep::Unsure;
        }
        if ended {
            return GlobStep::Match;
        }
        match op {
            ANY_RUN | ANY_DEPTH => {
                self.at += 1;
                GlobStep::More
            }
            UNSURE => GlobStep::Unsure,
            _ => GlobStep::NoMatch,
        }
    }

    #[inline(always)]
    fn reopen(&mut self, path: &PathRecord) -> GlobStep {
        if self.star_at != 0 && path.at(self.star_seen) != b'/' {
            self.star_seen += 1;
            self.at = self.star_at;
            self.seen = self.star_seen;
            return GlobStep::More;
        }
        if self.depth_at == 0 {
            return GlobStep::NoMatch;
        }
        self.seeking = 1;
        GlobStep::More
    }

    /// `**` takes one more component: on to where the next one begins.
    #[inline(always)]
    fn seek(&mut self, path: &PathRecord) -> GlobStep {
        self.depth_seen += 1;
        if self.depth_seen >= path.len || path.at(self.depth_seen) == b'/' {
            self.seeking = 0;
            self.star_at = 0;
            self.at = self.depth_at - 1;
            self.seen = self.depth_seen;
        }
        GlobStep::More
    }
}

/// Whether a byte begins a character (in UTF-8) of a name.
#[inline(always)]
fn begins_character(byte: u8) -> bool {
    byte != b'/' && byte & 0xc0 != 0x80
}

/// The length of the character that a byte begins (in UTF-8).
#[inline(always)]
fn length(byte: u8) -> u32 {
    match byte {
        0xf0.. => 4,
        0xe0.. => 3,
        0xc0.. => 2,
        _ => 1,
    }
}
