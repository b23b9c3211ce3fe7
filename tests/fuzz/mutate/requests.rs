/*!
Requests that are made of nothing, well-formed for the most part: few or many
resources, scopes and items, long and short, with names that processors ask for, values
in values, and messages in pieces. What one sender can make others pay for is here:
much that comes again for each scope or item, and much that has little on the wire.
*/

use super::Mutator;
use rand::{Rng, seq::IndexedRandom};
use wayspan::pdata::{
    Signal,
    wire::{put_bytes, put_message},
};

/// Keys that the rules of the mesh read, and one that they do not.
const KEYS: [&str; 12] = [
    "node_id",
    "upstream_cluster",
    "upstream_cluster.name",
    "component",
    "istio.canonical_service",
    "istio.namespace",
    "istio.cluster_id",
    "error",
    "k8s.pod.ip",
    "service.namespace",
    "dst.service",
    "x",
];

/// Values that mean something to them; `#` is a number.
const VALUES: [&str; 7] = [
    "waypoint~10.244.0.#~waypoint-#.shop~shop.svc.cluster.local",
    "sidecar~10.244.0.#~web-#.shop~shop.svc.cluster.local",
    "router~10.244.0.#~gateway-#.istio-system~istio-system.svc.cluster.local",
    "inbound-vip|90#|http|reviews-#.shop.svc.cluster.local;",
    "outbound|90#||redis-#.shop.svc.cluster.local",
    "proxy",
    "true",
];

const ZTUNNEL: &str = "2025-04-01T14:01:02.476412Z\tinfo\taccess\tconnection complete\t\
    src.workload=\"web-#\" src.namespace=\"shop\" dst.service=\"redis-#.shop.svc.cluster.local\" \
    dst.workload=\"redis-#\" dst.namespace=\"shop\" direction=\"outbound\" duration=\"#ms\"";

impl Mutator {
    /// A request, and the number of its signal.
    pub(super) fn request(&mut self) -> (Vec<u8>, u8) {
        let at = self.rng.random_range(0..Signal::ALL.len());
        let most = self.longest >> self.rng.random_range(0..7);
        let mut request = Vec::new();
        for _ in 0..self.few(3) {
            let room = most.saturating_sub(request.len());
            let group = self.resource_group(Signal::ALL[at], room);
            self.put(1, &group, &mut request);
        }
        (request, at as u8)
    }

    /// A number below 2^`bits`, small ones as often as large ones.
    fn few(&mut self, bits: u32) -> usize {
        let bits = self.rng.random_range(0..=bits);
        self.rng.random_range(1_usize << bits >> 1..1 << bits)
    }

    fn resource_group(&mut self, signal: Signal, room: usize) -> Vec<u8> {
        let mut resource = Vec::new();
        let service = if self.rng.random() {
            "web"
        } else {
            "waypoint.shop"
        };
        let pair = key_value("service.name", &text(service));
        put_bytes(1, &pair, &mut resource);
        self.attributes(1, &mut resource);
        let mut group = Vec::new();
        self.put(1, &resource, &mut group);
        for scope in 0..self.few(8) {
            if group.len() > room {
                break;
            }
            let mut inside = Vec::new();
            if self.rng.random() {
                let name = format!("scope {scope}");
                put_message(1, &mut inside, |out| put_bytes(1, name.as_bytes(), out));
            }
            for _ in 0..self.few(5) {
                let item = self.item(signal);
                put_bytes(2, &item, &mut inside);
            }
            put_bytes(2, &inside, &mut group);
        }
        if self.rng.random_bool(0.2) {
            group.extend(self.unknown());
        }
        group
    }

    fn item(&mut self, signal: Signal) -> Vec<u8> {
        let mut item = Vec::new();
        match signal {
            Signal::Traces => {
                // With ids now and then that cannot be.
                if self.rng.random_bool(0.95) {
                    put_bytes(1, &self.rng.random::<[u8; 16]>(), &mut item);
                    put_bytes(2, &self.rng.random::<[u8; 8]>(), &mut item);
                }
                self.attributes(9, &mut item);
                // Events and links.
                (0..self.few(3)).for_each(|_| put_bytes(11, b"", &mut item));
                (0..self.few(3)).for_each(|_| put_bytes(13, b"", &mut item));
            }
            Signal::Metrics => {
                let kind = *[5, 7, 9, 10, 11].choose(&mut self.rng).unwrap_or(&5);
                let mut data = Vec::new();
                (0..self.few(6)).for_each(|_| put_bytes(1, b"", &mut data));
                self.put(kind, &data, &mut item);
            }
            Signal::Logs => {
                let line = self.numbered(ZTUNNEL);
                let body = if self.rng.random() {
                    text(&line)
                } else {
                    self.value()
                };
                self.put(5, &body, &mut item);
                self.attributes(6, &mut item);
            }
        }
        item
    }

    fn attributes(&mut self, number: u32, out: &mut Vec<u8>) {
        if self.rng.random_bool(0.1) {
            // As little as there can be, many times.
            (0..self.few(9)).for_each(|_| put_bytes(number, b"", out));
        }
        for _ in 0..self.few(3) {
            let key = *KEYS.choose(&mut self.rng).unwrap_or(&"x");
            let value = *VALUES.choose(&mut self.rng).unwrap_or(&"x");
            let value = match self.rng.random_bool(0.7) {
                true => text(&self.numbered(value)),
                false => self.value(),
            };
            let pair = key_value(key, &value);
            self.put(number, &pair, out);
        }
    }

    /// An `AnyValue`, one or many levels deep.
    fn value(&mut self) -> Vec<u8> {
        let length = self.few(12);
        let mut value = Vec::new();
        match self.rng.random_range(0..5) {
            0 => put_bytes(1, &b"long".repeat(length / 4), &mut value),
            // Each byte is to be replaced by three.
            1 => put_bytes(1, &vec![0xff; length], &mut value),
            2 => value = vec![0x18, 1],
            3 => put_bytes(7, &vec![7; length], &mut value),
            _ => put_bytes(5, &[0x0a, 0].repeat(length / 2), &mut value),
        }
        if self.rng.random_bool(0.7) {
            return value;
        }
        for _ in 0..self.few(5) {
            let mut pair = Vec::new();
            self.put(2, &value, &mut pair);
            let mut list = Vec::new();
            put_bytes(1, &pair, &mut list);
            value.clear();
            self.put(6, &list, &mut value);
        }
        value
    }

    /// Appends a message, now and then in two pieces, to be joined.
    fn put(&mut self, number: u32, payload: &[u8], out: &mut Vec<u8>) {
        if self.rng.random_bool(0.4) {
            put_bytes(number, b"", out);
        }
        put_bytes(number, payload, out);
    }

    fn numbered(&mut self, text: &str) -> String {
        let number = self.few(8).to_string();
        text.replace('#', &number)
    }
}

fn text(text: &str) -> Vec<u8> {
    let mut value = Vec::new();
    put_bytes(1, text.as_bytes(), &mut value);
    value
}

fn key_value(key: &str, value: &[u8]) -> Vec<u8> {
    let mut pair = Vec::new();
    put_bytes(1, key.as_bytes(), &mut pair);
    put_bytes(2, value, &mut pair);
    pair
}
