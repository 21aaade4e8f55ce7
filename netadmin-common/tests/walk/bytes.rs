//! Arbitrary and mutated bytes: the walk sees what the kernel acts on.

use netadmin_common::netlink::Step;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::reference::{Seen, as_used, netlink_rcv_skb};
use super::walk;

fn agrees_with_the_kernel(datagram: &[u8]) -> Result<(), TestCaseError> {
    let walked = walk(datagram);
    let reference = netlink_rcv_skb(datagram);
    prop_assert_eq!(walked.end, Step::Done);
    prop_assert_eq!(walked.links.len(), reference.len());
    for ((link, unstable), (seen, unstable_there)) in walked.links.into_iter().zip(reference) {
        prop_assert_eq!(unstable, unstable_there);
        if let Seen::Acts(acts) = seen {
            // The walk also counts those of a second device, and unknown ones.
            if acts.of_bridge == 0 {
                prop_assert_eq!(acts.attributes & !link.attributes, 0);
            }
            let acts = *acts;
            let is_setlink = link.message_type == 19;
            prop_assert!(link.floods >= acts.floods || is_setlink && link.of_bridge == 0);
            prop_assert!(link.ends_vlan_filtering >= acts.ends_vlan_filtering);
            prop_assert_eq!(as_used(link), as_used(acts));
        }
    }
    Ok(())
}

/// An attribute whose length may lie.
fn attribute(
    kinds: &'static [u16],
    payload: impl Strategy<Value = Vec<u8>>,
) -> impl Strategy<Value = Vec<u8>> {
    (select(kinds), payload, skew(), any::<bool>()).prop_map(|(kind, payload, skew, nested)| {
        let len = u16::try_from(payload.len() + 4).expect("short");
        let kind = kind | if nested { 0x8000 } else { 0 };
        let mut bytes = len.wrapping_add_signed(skew).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0xa5);
        bytes
    })
}

/// Mostly none.
fn skew() -> impl Strategy<Value = i16> {
    prop_oneof![20 => Just(0i16), 1 => -9i16..9, 1 => any::<i16>()]
}

fn joined(parts: impl Strategy<Value = Vec<Vec<u8>>>) -> impl Strategy<Value = Vec<u8>> {
    parts.prop_map(|parts| parts.concat())
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => any::<u32>().prop_map(|value| value.to_ne_bytes().to_vec()),
        2 => select(vec![&b"macvlan\0"[..], b"macvlan", b"macvtap\0", b"veth\0", b"veth", b"vxcan\0", b"bond\0", b"bridge",
            b"netkit", b"eth0\0", b"eth0\0junk", b"fifteen_letters\0", b"sixteen__letters", b"\0", b""])
            .prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..40),
    ]
}

const OUTER: &[u16] = &[1, 3, 3, 5, 10, 19, 27, 28, 37, 46, 53, 70, 71, 0, 0x3fff];

fn link_attributes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    joined(vec(attribute(OUTER, payload()), 0..most))
}

/// Attributes of `IFLA_INFO_DATA`: of a macvlan, and a second device.
fn data() -> impl Strategy<Value = Vec<u8>> {
    let peer = (any::<[u32; 4]>(), link_attributes(3)).prop_map(|(ifinfomsg, attributes)| {
        let mut bytes: Vec<u8> = ifinfomsg.into_iter().flat_map(u32::to_ne_bytes).collect();
        bytes.extend(attributes);
        bytes
    });
    joined(vec(
        prop_oneof![attribute(&[1, 2, 2, 3], payload()), attribute(&[1], peer)],
        0..4,
    ))
}

fn linkinfo() -> impl Strategy<Value = Vec<u8>> {
    joined(vec(
        prop_oneof![
            attribute(
                &[1],
                select(vec![&b"macvlan"[..], b"veth\0", b"macvtap\0", b"netkit\0"])
                    .prop_map(<[u8]>::to_vec)
            ),
            attribute(&[1, 3, 4, 5], payload()),
            attribute(&[2], data()),
        ],
        0..5,
    ))
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    let attributes = joined(vec(
        prop_oneof![attribute(OUTER, payload()), attribute(&[18], linkinfo())],
        0..6,
    ));
    let header = (
        select(vec![16u16, 16, 16, 19, 19, 28, 17, 18, 24, 108, 109, 15, 3]),
        prop_oneof![8 => Just(0x605u16), 1 => any::<u16>()],
        prop_oneof![4 => Just(0u32), 1 => Just(7), 1 => any::<u32>()],
        any::<[u32; 3]>(),
        prop_oneof![20 => Just(0i32), 1 => -40i32..40],
        0usize..4,
    );
    (header, attributes).prop_map(|((kind, flags, family, rest, skew, padding), attributes)| {
        let len = u32::try_from(32 + attributes.len()).expect("short");
        let mut bytes = len.wrapping_add_signed(skew).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend([0; 8]);
        bytes.extend(family.to_ne_bytes());
        bytes.extend(rest.into_iter().flat_map(u32::to_ne_bytes));
        bytes.extend(attributes);
        bytes.extend(vec![0x5a; padding / 3]);
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn messages_with_lies_are_walked_as_the_kernel_walks_them(
        datagram in joined(vec(message(), 0..5)),
    ) {
        agrees_with_the_kernel(&datagram)?;
    }

    #[test]
    fn mutated_messages_are_walked_as_the_kernel_walks_them(
        datagram in joined(vec(message(), 1..4)),
        changes in vec((any::<Index>(), any::<u8>()), 1..8),
        cut in any::<Index>(),
    ) {
        let mut datagram = datagram;
        for (place, byte) in changes {
            let place = place.index(datagram.len());
            datagram[place] = byte;
        }
        agrees_with_the_kernel(&datagram)?;
        datagram.truncate(cut.index(datagram.len()));
        agrees_with_the_kernel(&datagram)?;
    }

    #[test]
    fn arbitrary_bytes_are_walked_as_the_kernel_walks_them(datagram in vec(any::<u8>(), 0..200)) {
        agrees_with_the_kernel(&datagram)?;
    }

    #[test]
    fn words_of_few_bits_are_walked_as_the_kernel_walks_them(
        words in vec(prop_oneof![0u32..64, Just(0x0001_0010), Just(0x0001_0013), any::<u32>()], 0..64),
    ) {
        let datagram: Vec<u8> = words.into_iter().flat_map(u32::to_ne_bytes).collect();
        agrees_with_the_kernel(&datagram)?;
    }
}
