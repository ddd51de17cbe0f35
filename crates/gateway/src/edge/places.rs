//! How many client connections are open: of all threads together, and from one address.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The places of a node's clients.
pub(crate) struct Places {
    most: usize,
    most_per_address: usize,
    taken: AtomicUsize,
    /// Asked once for each connection, never for a request.
    by_address: Mutex<HashMap<IpAddr, usize>>,
}

/// Whose connections are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    /// All of that address or network.
    Address(IpAddr),
    /// One of our own gateways in front: its connections are those of many.
    Proxy,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Full {
    #[error("more connections than max_connections")]
    Node,
    #[error("more connections of one address than max_connections_per_ip")]
    Address,
}

impl Holder {
    /// Whoever has an IPv6 address has the 2^64 of its network too.
    pub(super) fn of(ip: IpAddr) -> Self {
        const NETWORK: u128 = !(u64::MAX as u128);
        Self::Address(match ip.to_canonical() {
            IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & NETWORK).into(),
            ip @ IpAddr::V4(_) => ip,
        })
    }
}

impl Places {
    pub(crate) fn new(most: usize, most_per_address: usize) -> Self {
        Self { most, most_per_address, taken: AtomicUsize::new(0), by_address: Mutex::default() }
    }

    /// Takes a place, to be given back by the same holder.
    pub(super) fn take(&self, holder: Holder) -> Result<(), Full> {
        if self.taken.fetch_add(1, Ordering::Relaxed) >= self.most {
            self.taken.fetch_sub(1, Ordering::Relaxed);
            return Err(Full::Node);
        }
        let Holder::Address(ip) = holder else { return Ok(()) };
        let mut by_address = self.by_address();
        let held = by_address.entry(ip).or_default();
        if *held >= self.most_per_address {
            self.taken.fetch_sub(1, Ordering::Relaxed);
            return Err(Full::Address);
        }
        *held += 1;
        Ok(())
    }

    pub(super) fn give_back(&self, holder: Holder) {
        self.taken.fetch_sub(1, Ordering::Relaxed);
        let Holder::Address(ip) = holder else { return };
        if let Entry::Occupied(mut held) = self.by_address().entry(ip) {
            *held.get_mut() = held.get().saturating_sub(1);
            if *held.get() == 0 {
                held.remove();
            }
        }
    }

    fn by_address(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.by_address.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Full, Holder, Places};

    fn of(ip: &str) -> Holder {
        Holder::of(ip.parse().unwrap())
    }

    #[test]
    fn an_address_has_its_part_and_a_proxy_all() {
        let places = Places::new(5, 2);
        let one = of("192.0.2.1");
        assert_eq!([one; 3].map(|holder| places.take(holder)), [Ok(()), Ok(()), Err(Full::Address)]);
        assert_eq!(places.take(of("::ffff:192.0.2.1")), Err(Full::Address));
        assert_eq!(places.take(of("192.0.2.2")), Ok(()));
        places.give_back(one);
        assert_eq!(places.take(one), Ok(()));
        assert_eq!([Holder::Proxy; 3].map(|h| places.take(h)), [Ok(()), Ok(()), Err(Full::Node)]);
        places.give_back(Holder::Proxy);
        assert_eq!(places.take(one), Err(Full::Address), "what was refused holds nothing");
        assert_eq!(places.take(of("192.0.2.3")), Ok(()));
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let places = Places::new(5, 1);
        assert_eq!(places.take(of("2001:db8:1:2::1")), Ok(()));
        assert_eq!(places.take(of("2001:db8:1:2:ffff::1")), Err(Full::Address));
        assert_eq!(places.take(of("2001:db8:1:3::1")), Ok(()));
    }

    #[test]
    fn who_has_left_is_forgotten() {
        let places = Places::new(5, 1);
        places.take(of("192.0.2.1")).unwrap();
        places.give_back(of("192.0.2.1"));
        assert!(places.by_address().is_empty());
    }
}
