/// Which organisation is meant.
#[derive(Debug, clap::Args)]
pub(crate) struct OrgArg {
    /// The organisation, by name or id; an organisation's key speaks for its own and needs none
    #[arg(long, value_name = "ORG")]
    pub(super) org: Option<String>,
}

impl OrgArg {
    /// As it was given.
    pub(super) fn given(&self) -> Option<&str> {
        self.org.as_deref()
    }
}
