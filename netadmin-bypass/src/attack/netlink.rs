//! rtnetlink messages built by hand, and the socket that they go through.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};

use super::sockopt::open_socket;

const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
/// Make what is not there.
pub const NLM_F_CREATE: u16 = 0x400;
/// Fail if it is there.
pub const NLM_F_EXCL: u16 = 0x200;
/// A message that does nothing.
pub const NLMSG_NOOP: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_DUMP: u16 = 0x300;
const NLMSG_HDRLEN: usize = 16;
const NLA_HDRLEN: usize = 4;

/// One netlink message: a header, a family's fixed part, attributes.
#[derive(Clone, Debug)]
pub struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// A request of type `kind` with its fixed part.
    pub fn new(kind: u16, flags: u16, fixed: &[u8]) -> Self {
        let mut bytes = vec![0; NLMSG_HDRLEN];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&(flags | NLM_F_REQUEST).to_ne_bytes());
        bytes.extend_from_slice(fixed);
        Self { bytes }
    }

    /// Appends an attribute.
    #[must_use]
    pub fn attribute(mut self, kind: u16, payload: &[u8]) -> Self {
        append_attribute(&mut self.bytes, kind, payload);
        self
    }

    /// Appends an attribute that holds a 32-bit number.
    #[must_use]
    pub fn number(self, kind: u16, value: u32) -> Self {
        self.attribute(kind, &value.to_ne_bytes())
    }

    /// Appends an attribute that holds a zero-terminated string.
    #[must_use]
    pub fn text(self, kind: u16, value: &str) -> Self {
        self.attribute(kind, format!("{value}\0").as_bytes())
    }

    /// Overwrites bytes of the fixed part.
    pub(super) fn patch(&mut self, offset: usize, bytes: &[u8]) {
        let start = NLMSG_HDRLEN + offset;
        self.bytes[start..start + bytes.len()].copy_from_slice(bytes);
    }

    /// The message as it goes out, its length filled in.
    fn finished(&self, sequence: u32, acknowledge: bool) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        bytes[..4].copy_from_slice(&len.to_ne_bytes());
        if acknowledge {
            bytes[6] |= NLM_F_ACK.to_ne_bytes()[0];
        }
        bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        pad(&mut bytes);
        bytes
    }
}

/// The bytes of an attribute's payload, itself made of attributes.
#[derive(Clone, Debug, Default)]
pub struct Nested(Vec<u8>);

impl Nested {
    /// Appends an attribute.
    #[must_use]
    pub fn attribute(mut self, kind: u16, payload: &[u8]) -> Self {
        append_attribute(&mut self.0, kind, payload);
        self
    }

    /// What has been appended.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Several messages as one datagram, the last of which asks for an answer.
pub fn datagram(messages: &[Message]) -> Vec<u8> {
    let last = messages.len().saturating_sub(1);
    let numbered = messages.iter().zip(0u32..).enumerate();
    numbered
        .flat_map(|(place, (message, sequence))| message.finished(sequence, place == last))
        .collect()
}

/// Sends messages as one datagram and waits until all have been worked on; the
/// first error of any is the result.
pub fn transact(messages: &[Message]) -> io::Result<()> {
    transact_on(&route_socket()?, messages)
}

/// The same on a socket of any netlink family.
pub fn transact_on(socket: &OwnedFd, messages: &[Message]) -> io::Result<()> {
    send(socket, &datagram(messages))?;
    let last = u32::try_from(messages.len().saturating_sub(1)).map_err(io::Error::other)?;
    let mut first_error = None;
    loop {
        for (sequence, error) in acknowledgements(&receive(socket)?) {
            if error != 0 && first_error.is_none() {
                first_error = Some(io::Error::from_raw_os_error(error));
            }
            if sequence == last {
                return first_error.map_or(Ok(()), Err);
            }
        }
    }
}

/// Asks one question and returns the answer's bytes after its header.
pub fn ask(message: &Message) -> io::Result<Vec<u8>> {
    ask_on(&route_socket()?, message)
}

/// The same on a socket of any netlink family.
pub fn ask_on(socket: &OwnedFd, message: &Message) -> io::Result<Vec<u8>> {
    send(socket, &message.finished(0, false))?;
    let answer = receive(socket)?;
    match acknowledgements(&answer).first() {
        Some((_, error)) if *error != 0 => Err(io::Error::from_raw_os_error(*error)),
        _ => Ok(answer.get(NLMSG_HDRLEN..).unwrap_or_default().to_vec()),
    }
}

/// Asks for everything of a kind, and returns the answers' bodies.
pub fn dump(message: &Message) -> io::Result<Vec<Vec<u8>>> {
    let socket = route_socket()?;
    let mut bytes = message.finished(0, false);
    bytes[6..8].copy_from_slice(&(NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
    send(&socket, &bytes)?;
    let mut bodies = Vec::new();
    loop {
        let received = receive(&socket)?;
        let mut rest = &received[..];
        while let Some(len) = number_at(rest, 0).map(|len| len as usize) {
            if rest.get(4..6) == Some(&NLMSG_DONE.to_ne_bytes()) {
                return Ok(bodies);
            }
            let body = rest.get(NLMSG_HDRLEN..len);
            bodies.push(body.unwrap_or_default().to_vec());
            rest = rest
                .get(len.max(NLMSG_HDRLEN).next_multiple_of(4)..)
                .unwrap_or_default();
        }
    }
}

/// The first error in what the kernel has answered already.
pub fn first_error(socket: &OwnedFd) -> io::Result<()> {
    loop {
        let answer = try_receive(socket)?;
        if answer.is_empty() {
            return Ok(());
        }
        let failed = |(_, error): &(u32, i32)| *error != 0;
        if let Some((_, error)) = acknowledgements(&answer).into_iter().find(failed) {
            return Err(io::Error::from_raw_os_error(error));
        }
    }
}

/// A `NETLINK_ROUTE` socket.
pub fn route_socket() -> io::Result<OwnedFd> {
    open_socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE)
}

/// A `NETLINK_GENERIC` socket.
pub fn generic_socket() -> io::Result<OwnedFd> {
    open_socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_GENERIC)
}

/// Sends a datagram to the kernel.
pub fn send(socket: &OwnedFd, bytes: &[u8]) -> io::Result<()> {
    super::call::put(socket.as_fd(), bytes)
}

/// What the kernel has answered already; empty if nothing. (It answers within
/// the call that asks.)
pub fn try_receive(socket: &OwnedFd) -> io::Result<Vec<u8>> {
    match receive_with(socket, libc::MSG_DONTWAIT) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Vec::new()),
        other => other,
    }
}

fn receive(socket: &OwnedFd) -> io::Result<Vec<u8>> {
    receive_with(socket, 0)
}

fn receive_with(socket: &OwnedFd, flags: i32) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0u8; 1 << 16];
    // SAFETY: the kernel writes at most as many bytes as the buffer has.
    let received = unsafe {
        libc::recv(
            socket.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            flags,
        )
    };
    let len = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
    buffer.truncate(len);
    Ok(buffer)
}

/// Sequence number and errno of each `NLMSG_ERROR` in what was received.
pub fn acknowledgements(mut bytes: &[u8]) -> Vec<(u32, i32)> {
    let mut found = Vec::new();
    while let Some(len) = number_at(bytes, 0).map(|len| len as usize) {
        let is_error = bytes.get(4..6) == Some(&NLMSG_ERROR.to_ne_bytes());
        if let (true, Some(sequence), Some(code)) = (
            is_error,
            number_at(bytes, 8),
            number_at(bytes, NLMSG_HDRLEN),
        ) {
            found.push((sequence, code.cast_signed().wrapping_neg()));
        }
        let step = len.max(NLMSG_HDRLEN).next_multiple_of(4);
        bytes = bytes.get(step..).unwrap_or_default();
    }
    found
}

/// Calls `take` with type and payload of each attribute in `bytes`.
pub fn each_attribute(mut bytes: &[u8], mut take: impl FnMut(u16, &[u8])) {
    while let Some(header) = number_at(bytes, 0) {
        let (len, kind) = ((header & 0xffff) as usize, (header >> 16) & 0x3fff);
        let Some(payload) = bytes.get(NLA_HDRLEN..len) else {
            return;
        };
        take(u16::try_from(kind).unwrap_or_default(), payload);
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
}

/// The native-endian 32-bit number at `offset`.
pub fn number_at(bytes: &[u8], offset: usize) -> Option<u32> {
    let field = bytes.get(offset..offset + 4)?;
    Some(u32::from_ne_bytes(field.try_into().ok()?))
}

fn append_attribute(bytes: &mut Vec<u8>, kind: u16, payload: &[u8]) {
    let len = u16::try_from(NLA_HDRLEN + payload.len()).unwrap_or(u16::MAX);
    bytes.extend_from_slice(&len.to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(payload);
    pad(bytes);
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::{Message, acknowledgements, datagram, each_attribute};

    #[test]
    fn a_message_has_its_length_and_its_attributes_are_aligned() {
        let bytes = datagram(&[Message::new(16, 0, &[0; 16]).text(3, "eth0")]);
        assert_eq!(bytes.len(), 16 + 16 + 12);
        assert_eq!(bytes[..4], 44u32.to_ne_bytes());
        let mut seen = Vec::new();
        each_attribute(&bytes[32..], |kind, payload| {
            seen.push((kind, payload.to_vec()));
        });
        assert_eq!(seen, [(3, b"eth0\0".to_vec())]);
    }

    #[test]
    fn only_the_last_message_of_a_datagram_asks_for_an_answer() {
        let message = Message::new(16, 0, &[]);
        let bytes = datagram(&[message.clone(), message]);
        assert_eq!((bytes[6], bytes[16 + 6]), (1, 5));
    }

    #[test]
    fn an_error_is_read_with_its_sequence_number() {
        let mut bytes = vec![0u8; 36];
        bytes[..4].copy_from_slice(&36u32.to_ne_bytes());
        bytes[4] = 2;
        bytes[8] = 7;
        bytes[16..20].copy_from_slice(&(-1i32).to_ne_bytes());
        assert_eq!(acknowledgements(&bytes), [(7, 1)]);
    }
}
