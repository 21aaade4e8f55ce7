//! Which pieces of the capability a link message asks for.

use super::{LinkRequest, LinkView};
use crate::catalogue::OperationKind as Op;
use crate::device::{IFF_ALLMULTI, IFF_MULTICAST, IFF_NOARP, IFF_PROMISC, IFF_UP, kind};
use crate::pieces::{LinkPieces, link_piece};
use crate::text::Text;

/// The flags that anyone can change (`__dev_change_flags`) and that have no
/// operation of their own: IFF_DEBUG, IFF_NOTRAILERS, IFF_PORTSEL,
/// IFF_AUTOMEDIA, IFF_DYNAMIC.
const OTHER_FLAGS: u32 = 0x4 | 0x20 | 0x2000 | 0x4000 | 0x8000;
/// Those of which the device keeps whether they were asked for
/// (`rtnl_dev_get_flags`).
const GFLAGS: u32 = IFF_PROMISC | IFF_ALLMULTI;

/// A set of attributes of a link, a bit for each number below 64.
pub type Attributes = u64;

/// The last attributes share the last bits.
#[inline(always)]
pub fn attribute_bit(number: u16) -> Attributes {
    match number {
        // IFLA_GSO_IPV4_MAX_SIZE and IFLA_GRO_IPV4_MAX_SIZE.
        64 => 1 << 63,
        65.. => 1 << 62,
        _ => 1 << number,
    }
}

const fn bits(numbers: &[u16]) -> Attributes {
    let mut set = 0;
    let mut place = 0;
    while place < numbers.len() {
        set |= 1 << numbers[place];
        place += 1;
    }
    set
}

/// linux/if_link.h. What selects the device (IFLA_IFNAME, IFLA_ALT_IFNAME,
/// IFLA_GROUP) or the answer (IFLA_EXT_MASK) is not among them.
const ADDRESS: Attributes = bits(&[1, 2, 54]);
const NAME: Attributes = bits(&[3]);
const MTU: Attributes = bits(&[4]);
const LINK: Attributes = bits(&[5]);
const MASTER: Attributes = bits(&[10]);
const STATE: Attributes = bits(&[16, 17, 33, 39, 55]);
const INFO: Attributes = bits(&[18]);
const ALIAS: Attributes = bits(&[20]);
const VF: Attributes = bits(&[21, 22, 24, 25]);
const FAMILY: Attributes = bits(&[12, 26]);
const GROUP: Attributes = bits(&[27]);
const NAMESPACE: Attributes = bits(&[19, 28, 37, 45, 46, 49]);
const QUEUES: Attributes = bits(&[13, 31, 32, 40, 41, 58, 59, 60, 63]);
const XDP: Attributes = bits(&[43]);
const SELECTS: Attributes = bits(&[29, 42, 53]);
/// What belongs to making a device.
const OF_CREATION: Attributes = ADDRESS
    | NAME
    | MTU
    | LINK
    | STATE
    | INFO
    | ALIAS
    | FAMILY
    | GROUP
    | QUEUES
    | bits(&[14, 15, 56, 57, 62]);
const NAMED: Attributes = OF_CREATION | MASTER | VF | NAMESPACE | XDP | SELECTS;

/// The pieces that the attributes and flags of a message ask for; with
/// [`creation`] those of the message.
#[inline(always)]
pub fn changes(request: &LinkRequest, view: &LinkView) -> LinkPieces {
    let present = if request.only_creates() {
        request.attributes & !OF_CREATION
    } else {
        request.attributes
    };
    // Who moves to another namespace is closed before.
    let stays = request.other_namespace == 0;
    let known = view.device.index != 0 && view.unstable == 0 && stays;
    let changed = if request.only_creates() {
        request.flags & request.mask()
    } else if known {
        let device = &view.device;
        let now = (device.flags & !GFLAGS) | (device.gflags & GFLAGS);
        (request.flags ^ now) & request.mask()
    } else {
        // Whatever they are now.
        request.mask()
    };
    attributes(request, present)
        | flags(request.flags, changed)
        | flags(u32::MAX, request.flags_of_peer())
}

/// The pieces that removing a link asks for beside that: it may lie in another
/// namespace (`rtnl_dellink`).
#[inline(always)]
pub fn deletion(request: &LinkRequest) -> LinkPieces {
    has(request.other_namespace != 0, Op::LinkNamespace)
}

#[inline(always)]
fn attributes(request: &LinkRequest, present: Attributes) -> LinkPieces {
    // By index it is a new name, else it selects; so does the group.
    let rename = present & NAME != 0 && request.by_index();
    let group = present & GROUP != 0 && request.names_one();
    has(rename, Op::LinkRename)
        | has(group, Op::LinkGroup)
        | has(present & ADDRESS != 0, Op::LinkAddress)
        | has(present & MTU != 0, Op::LinkMtu)
        | has(present & MASTER != 0, Op::LinkMaster)
        | has(present & STATE != 0, Op::LinkState)
        | has(present & INFO != 0, Op::LinkKind)
        | has(present & ALIAS != 0, Op::LinkAlias)
        | has(present & VF != 0, Op::LinkVf)
        | has(present & FAMILY != 0, Op::LinkFamily)
        | has(present & NAMESPACE != 0, Op::LinkNamespace)
        | has(present & QUEUES != 0, Op::LinkQueues)
        | has(present & XDP != 0, Op::LinkXdp)
        | has(present & (!NAMED | LINK) != 0, Op::LinkOther)
}

/// The pieces of changing these flags to what `requested` says.
#[inline(always)]
fn flags(requested: u32, changed: u32) -> LinkPieces {
    let up = changed & requested & IFF_UP != 0;
    let down = changed & !requested & IFF_UP != 0;
    has(up, Op::LinkUp)
        | has(down, Op::LinkDown)
        | has(changed & IFF_PROMISC != 0, Op::LinkPromisc)
        | has(changed & IFF_ALLMULTI != 0, Op::LinkAllMulti)
        | has(changed & IFF_MULTICAST != 0, Op::LinkMulticast)
        | has(changed & IFF_NOARP != 0, Op::LinkArp)
        | has(changed & OTHER_FLAGS != 0, Op::LinkFlags)
}

#[inline(always)]
fn has(condition: bool, kind: Op) -> LinkPieces {
    if condition { link_piece(kind) } else { 0 }
}

/// The pieces that a change of flags can ask for.
pub const FLAGS: LinkPieces = link_piece(Op::LinkUp)
    | link_piece(Op::LinkDown)
    | link_piece(Op::LinkPromisc)
    | link_piece(Op::LinkAllMulti)
    | link_piece(Op::LinkMulticast)
    | link_piece(Op::LinkArp)
    | link_piece(Op::LinkFlags);

/// The kinds of links that have an operation of their own to make them.
const KINDS: [(Text, Op); 29] = [
    (Text::new(b"dummy"), Op::LinkCreateDummy),
    (kind::BRIDGE, Op::LinkCreateBridge),
    (kind::BOND, Op::LinkCreateBond),
    (kind::TEAM, Op::LinkCreateTeam),
    (kind::VETH, Op::LinkCreateVeth),
    (kind::VLAN, Op::LinkCreateVlan),
    (Text::new(b"vxlan"), Op::LinkCreateVxlan),
    (Text::new(b"geneve"), Op::LinkCreateGeneve),
    (kind::MACVLAN, Op::LinkCreateMacvlan),
    (kind::MACVTAP, Op::LinkCreateMacvtap),
    (Text::new(b"ipvlan"), Op::LinkCreateIpvlan),
    (Text::new(b"ipvtap"), Op::LinkCreateIpvtap),
    (kind::VRF, Op::LinkCreateVrf),
    (Text::new(b"wireguard"), Op::LinkCreateWireguard),
    (kind::MACSEC, Op::LinkCreateMacsec),
    (Text::new(b"xfrm"), Op::LinkCreateXfrm),
    (Text::new(b"ifb"), Op::LinkCreateIfb),
    (kind::NETKIT, Op::LinkCreateNetkit),
    (Text::new(b"ipip"), Op::LinkCreateTunnel),
    (Text::new(b"sit"), Op::LinkCreateTunnel),
    (Text::new(b"gre"), Op::LinkCreateTunnel),
    (Text::new(b"gretap"), Op::LinkCreateTunnel),
    (Text::new(b"ip6tnl"), Op::LinkCreateTunnel),
    (Text::new(b"ip6gre"), Op::LinkCreateTunnel),
    (Text::new(b"ip6gretap"), Op::LinkCreateTunnel),
    (Text::new(b"erspan"), Op::LinkCreateTunnel),
    (Text::new(b"ip6erspan"), Op::LinkCreateTunnel),
    (Text::new(b"vti"), Op::LinkCreateTunnel),
    (Text::new(b"vti6"), Op::LinkCreateTunnel),
];

/// The piece of making a link, if the message can make one.
#[inline(always)]
pub fn creation(request: &LinkRequest) -> LinkPieces {
    if !request.creates() {
        return 0;
    }
    let mut index = 0;
    while index < KINDS.len() {
        if request.kind == KINDS[index].0 {
            return link_piece(KINDS[index].1);
        }
        index += 1;
    }
    link_piece(Op::LinkCreateOther)
}
