use std::net::SocketAddr;

/// Run the server
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct ServeArguments {
    /// Where to serve, instead of server.listen of the configuration; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Where to serve metrics and health, instead of admin.listen
    #[arg(long, value_name = "ADDRESS")]
    admin_listen: Option<SocketAddr>,
    /// Data-plane threads, instead of server.workers
    #[arg(long, value_name = "NUMBER")]
    workers: Option<u16>,
    /// Any other setting, such as --set log.level=debug
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_and_value)]
    settings: Vec<(String, String)>,
    /// Try it out: a test provider, an organisation with a key, a temporary data folder if none is named
    #[arg(long)]
    pub(crate) demo: bool,
}

impl ServeArguments {
    /// What the flags set: flag, key and value.
    pub(crate) fn flags(&self) -> Vec<(String, String, String)> {
        let flag = |name: &str, key: &str, value: String| (name.to_owned(), key.to_owned(), value);
        let listen = self.listen.map(|a| flag("--listen", "server.listen", a.to_string()));
        let admin = self.admin_listen.map(|a| flag("--admin-listen", "admin.listen", a.to_string()));
        let workers = self.workers.map(|n| flag("--workers", "server.workers", n.to_string()));
        let demo = self.demo.then(|| flag("--demo", "test_provider.enabled", "true".to_owned()));
        let others = self.settings.iter().map(|(key, value)| flag("--set", key, value.clone()));
        listen.into_iter().chain(admin).chain(workers).chain(demo).chain(others).collect()
    }
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("a setting is given as KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}
