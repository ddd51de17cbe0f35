use super::node::Node;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode_registry;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;
use topdog_jobs::PendingRewraps;
use topdog_store::spool::FileSpool;

/// Metrics of what belongs to no request: what the spool could not keep, what key rotations have before them.
pub(super) struct NodeMetrics(Registry);

impl NodeMetrics {
    /// Those of this node.
    pub(super) fn new(node: &Node) -> Self {
        let mut registry = Registry::with_prefix("topdog");
        registry.register_collector(Box::new(Sources {
            spool: node.spool.clone(),
            pending_rewraps: node.pending_rewraps.clone(),
        }));
        Self(registry)
    }

    /// In the OpenMetrics text format, without the mark of its end: others' metrics come after it.
    pub(super) fn encode(&self) -> String {
        let mut text = String::new();
        // Writing into a string can't fail.
        let _ = encode_registry(&mut text, &self.0);
        text
    }
}

/// Where the numbers are; they are read when they are asked for.
struct Sources {
    spool: Arc<FileSpool>,
    pending_rewraps: Arc<PendingRewraps>,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sources")
    }
}

impl Collector for Sources {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        count(
            &mut encoder,
            "spool_lost_records",
            "Records dropped because the disk could not be written and the memory for them was full",
            self.spool.lost_records(),
        )?;
        count(
            &mut encoder,
            "spool_unrecorded_records",
            "Records that a kill of the process would have taken, as the recorder had no room or there is none",
            self.spool.unrecorded_records(),
        )?;
        count(
            &mut encoder,
            "spool_refused_records",
            "Records that the database refused for good, each kept in a .refused file in the spool's folder",
            self.spool.refused_records(),
        )?;
        let pending = self.pending_rewraps.get();
        let mut family = encoder.encode_descriptor(
            "rewrap_pending",
            "Keys that a rotation has still to wrap anew, by what wraps them",
            None,
            MetricType::Gauge,
        )?;
        let kinds = [("root", pending.under_old_root), ("organisation", pending.under_old_org_key)];
        kinds.into_iter().try_for_each(|(by, keys)| {
            let gauge = ConstGauge::new(i64::try_from(keys).unwrap_or(i64::MAX));
            gauge.encode(family.encode_family(&[("by", by)])?)
        })
    }
}

fn count(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    ConstCounter::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)
}
