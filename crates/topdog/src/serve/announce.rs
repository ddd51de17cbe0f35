//! What a person sees who starts the server; everything else goes to the log.

use std::io::Write as _;
use std::path::Path;

/// The first words of an installation that has no organisation yet, ready to paste.
pub(super) fn first_start(url: &str, data_dir: &Path) {
    say(&format!(
        "\
Top Dog serves at {url}

There is no organisation yet. Next, in another terminal:

    topdog init --data-dir {data} --org acme --tier PRO
    topdog provider-keys add --data-dir {data} --org acme --provider openai --stdin

Before real keys go in, move {data}/root.key to a secret store and name its place with vault.root_key.
",
        data = quoted(data_dir)
    ));
}

/// An installation that is set up.
pub(super) fn start(url: &str) {
    say(&format!("Top Dog serves at {url}\n"));
}

/// A demo: its key, and a request to paste.
pub(super) fn demo(url: &str, key: &str, data_dir: &Path) {
    say(&format!(
        "\
Top Dog serves at {url} (demo: the model test/echo answers, no provider is called)

Paste this into another terminal:

    curl -N {url}/v1/chat/completions \\
      -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \\
      -d '{{\"model\": \"test/echo\", \"stream\": true, \"messages\": [{{\"role\": \"user\", \"content\": \"Hello, Top Dog\"}}]}}'

Then bring your own provider key:

    topdog provider-keys add --data-dir {data} --org demo --provider openai --stdin
    topdog api-keys create --data-dir {data} --org demo --name mine
",
        data = quoted(data_dir)
    ));
}

/// Why the server does not start, or ended badly.
pub(super) fn failure(error: &anyhow::Error) {
    let mut err = std::io::stderr().lock();
    // Whoever closed our standard error does not want to hear.
    let _ = writeln!(err, "topdog: {error:#}");
}

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    // A closed standard output is no reason not to serve.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// The path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if text.chars().all(is_plain) { text.into_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_can_be_pasted() {
        assert_eq!(quoted(Path::new("/srv/top-dog_1.0")), "/srv/top-dog_1.0");
        assert_eq!(quoted(Path::new("/srv/my dog's")), r"'/srv/my dog'\''s'");
    }
}
