use tokio::sync::watch;

/// Tells workers to stop. Dropping it tells them too.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

/// How a worker learns that it is to stop; one of many clones.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stopper {
    /// A stopper, and what its workers are given.
    #[must_use]
    pub fn new() -> (Self, Stop) {
        let (sender, receiver) = watch::channel(false);
        (Self(sender), Stop(receiver))
    }

    /// Tells all workers to stop, now and for good.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Waits until it is time to stop.
    pub async fn told(&mut self) {
        // An error says that the stopper is gone, which is the same.
        let _ = self.0.wait_for(|is_told| *is_told).await;
    }

    /// Runs the worker's endless work until it is time to stop, which cuts it off at its next wait.
    pub async fn cuts_off(mut self, work: impl Future) {
        tokio::select! {
            _ = work => {}
            () = self.told() => {}
        }
    }
}
