//! From the ring buffer's bytes to a record.

use netadmin_common::{EventKind, EventRecord, LAYOUT_VERSION};

const RECORD_BYTES: usize = size_of::<EventRecord>();

/// Why bytes are no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// They are too few or too many.
    #[error("an event record has {RECORD_BYTES} bytes, not {0}")]
    Length(usize),
    /// They come from programs of another version.
    #[error("the event has layout {0}, but this agent reads layout {LAYOUT_VERSION}")]
    Layout(u32),
    /// They tell of something unheard of.
    #[error("the event has kind {0}, which this agent does not know")]
    Kind(u16),
}

/// The record that these bytes hold, and its kind.
pub fn decode(bytes: &[u8]) -> Result<(EventKind, EventRecord), DecodeError> {
    if bytes.len() != RECORD_BYTES {
        return Err(DecodeError::Length(bytes.len()));
    }
    // SAFETY: the bytes are as many as the record has, which is made of
    // integers and arrays of them: any bytes are a record.
    let record = unsafe { bytes.as_ptr().cast::<EventRecord>().read_unaligned() };
    if record.layout != LAYOUT_VERSION {
        return Err(DecodeError::Layout(record.layout));
    }
    let kind = EventKind::from_number(record.kind).ok_or(DecodeError::Kind(record.kind))?;
    Ok((kind, record))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of(record: EventRecord) -> [u8; RECORD_BYTES] {
        // SAFETY: the record is plain integers without padding, so all its
        // bytes are initialized.
        unsafe { std::mem::transmute(record) }
    }

    fn a_record() -> EventRecord {
        EventRecord {
            layout: LAYOUT_VERSION,
            kind: EventKind::Refused as u16,
            pid: 7,
            ..EventRecord::default()
        }
    }

    #[test]
    fn a_record_survives_the_ring_buffer_whatever_its_alignment() {
        let mut shifted = vec![0];
        shifted.extend(bytes_of(a_record()));
        assert_eq!(decode(&shifted[1..]), Ok((EventKind::Refused, a_record())));
    }

    #[test]
    fn other_lengths_layouts_and_kinds_are_errors() {
        let bytes = bytes_of(a_record());
        let other_layout = EventRecord {
            layout: LAYOUT_VERSION + 1,
            ..a_record()
        };
        let other_kind = EventRecord {
            kind: 999,
            ..a_record()
        };
        assert_eq!(decode(&[]), Err(DecodeError::Length(0)));
        assert_eq!(
            decode(&bytes[1..]),
            Err(DecodeError::Length(bytes.len() - 1))
        );
        assert_eq!(
            decode(&bytes_of(other_layout)),
            Err(DecodeError::Layout(LAYOUT_VERSION + 1))
        );
        assert_eq!(decode(&bytes_of(other_kind)), Err(DecodeError::Kind(999)));
    }
}
