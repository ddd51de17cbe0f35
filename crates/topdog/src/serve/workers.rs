use super::node::Node;

/// What runs beside the requests: shipping records, following changes, retention, rotation.
pub(super) struct Workers {}

impl Workers {
    /// Starts all of them on the present runtime.
    pub(super) fn start(_node: &Node) -> Self {
        Self {}
    }

    /// Lets each finish what it is at, and ship what it can.
    pub(super) async fn stop(self) {}
}
