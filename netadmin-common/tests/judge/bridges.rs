//! Ports of a bridge that are not promiscuous, and what makes them so.

use OperationKind::PromiscuousBridgePort;

use super::*;

fn port(quiet_ports: u32) -> LinkView {
    LinkView {
        master: device(9, "br0", "bridge"),
        quiet_ports,
        ..view(device(5, "dev0", "dummy"))
    }
}

/// `bridge link set dev ... learning on`.
fn floods() -> LinkRequest {
    LinkRequest {
        of_bridge: 1,
        floods: 1,
        ..change(5)
    }
}

/// `ip link set dev ... type bridge_slave learning on`.
fn floods_by_link() -> LinkRequest {
    LinkRequest {
        message_type: u32::from(RTM_NEWLINK),
        has_port_data: 1,
        floods: 1,
        ..change(5)
    }
}

#[test]
fn a_port_that_floods_wakes_the_quiet_ones() {
    for request in [floods(), floods_by_link()] {
        assert_eq!(operations(&request, &port(1)), [PromiscuousBridgePort]);
        assert_eq!(operations(&request, &port(0)), [], "all are promiscuous");
        let unstable = LinkView {
            unstable: 1,
            ..port(0)
        };
        assert_eq!(operations(&request, &unstable), [PromiscuousBridgePort]);
    }
    let stops = LinkRequest {
        floods: 0,
        ..floods()
    };
    assert_eq!(operations(&stops, &port(1)), []);
}

#[test]
fn a_bridge_without_vlan_filtering_wakes_all() {
    let ends = LinkRequest {
        message_type: u32::from(RTM_NEWLINK),
        kind: Text::new(b"bridge"),
        has_data: 1,
        ends_vlan_filtering: 1,
        ..change(9)
    };
    let bridge = |quiet_ports| LinkView {
        quiet_ports,
        ..view(device(9, "br0", "bridge"))
    };
    assert_eq!(operations(&ends, &bridge(1)), [PromiscuousBridgePort]);
    assert_eq!(operations(&ends, &bridge(0)), []);
    // The same attribute of another kind.
    let other = LinkRequest {
        kind: Text::new(b"vxlan"),
        ..ends
    };
    assert_eq!(operations(&other, &view(device(9, "vx", "vxlan"))), []);
    let new = LinkRequest {
        index: 0,
        ends_vlan_filtering: 1,
        has_data: 1,
        ..create("br0", "bridge")
    };
    assert_eq!(operations(&new, &LinkView::default()), []);
}
