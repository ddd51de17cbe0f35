//! The one table of the workspace: each crate, its sentence, and the arrows it may draw.

/// A package of this workspace and what it may know.
#[derive(Debug)]
pub(crate) struct Member {
    /// Folder from the root of the checkout.
    pub(crate) folder: &'static str,
    /// Name of its cargo package.
    pub(crate) package: &'static str,
    /// What its header begins with.
    pub(crate) sentence: &'static str,
    /// Packages of this workspace that it may depend on, directly.
    pub(crate) may_use: &'static [&'static str],
}

pub(crate) const MEMBERS: &[Member] = &[
    Member {
        folder: "crates/domain",
        package: "topdog-domain",
        sentence: "What Top Dog believes: tenants, tiers, entitlements, quota arithmetic, usage, roles, \
                   refusals, and the ports others must fill; no I/O.",
        may_use: &[],
    },
    Member {
        folder: "crates/wire",
        package: "topdog-wire",
        sentence: "How providers speak: request, response and stream types and pure translation between \
                   them; bytes in, bytes out.",
        may_use: &["topdog-domain"],
    },
    Member {
        folder: "crates/egress",
        package: "topdog-egress",
        sentence: "The only way out: one guarded HTTP client for every target that a customer can influence.",
        may_use: &["topdog-domain"],
    },
    Member {
        folder: "crates/vault",
        package: "topdog-vault",
        sentence: "How a secret is sealed, opened, rotated and destroyed; plaintext lives only inside its types.",
        may_use: &["topdog-domain", "topdog-egress"],
    },
    Member {
        folder: "crates/gateway",
        package: "topdog-gateway",
        sentence: "The journey of a model request, one file a step.",
        may_use: &["topdog-domain", "topdog-wire", "topdog-egress", "topdog-vault"],
    },
    Member {
        folder: "crates/platform",
        package: "topdog-platform",
        sentence: "What customers and operators manage: REST API, sessions, SSO, teams, workspaces, webhooks, \
                   support.",
        may_use: &["topdog-domain", "topdog-egress", "topdog-vault"],
    },
    Member {
        folder: "crates/jobs",
        package: "topdog-jobs",
        sentence: "What runs later or can't be trusted: workers and the sandbox.",
        may_use: &["topdog-domain", "topdog-egress", "topdog-vault"],
    },
    Member {
        folder: "crates/console",
        package: "topdog-console",
        sentence: "What a person sees in a browser.",
        may_use: &["topdog-domain", "topdog-platform"],
    },
    Member {
        folder: "crates/store",
        package: "topdog-store",
        sentence: "Where facts are kept: SQLite, Postgres, Valkey, objects, the spool, behind the domain's ports.",
        may_use: &["topdog-domain"],
    },
    Member {
        folder: "crates/topdog",
        package: "topdog",
        sentence: "The binary: configuration, wiring, CLI.",
        may_use: &[
            "topdog-domain",
            "topdog-wire",
            "topdog-egress",
            "topdog-vault",
            "topdog-gateway",
            "topdog-platform",
            "topdog-jobs",
            "topdog-console",
            "topdog-store",
        ],
    },
    Member {
        folder: "xtask",
        package: "xtask",
        sentence: "The repository's own checks: arrows between crates, file sizes, headers, paired migrations.",
        may_use: &[],
    },
];

impl Member {
    pub(crate) fn of_folder(folder: &str) -> Option<&'static Self> {
        MEMBERS.iter().find(|member| member.folder == folder)
    }

    /// The member whose folder holds `path`.
    pub(crate) fn of_path(path: &str) -> Option<&'static Self> {
        MEMBERS
            .iter()
            .find(|member| path.strip_prefix(member.folder).is_some_and(|inside| inside.starts_with('/')))
    }

    pub(crate) fn may_depend_on(&self, package: &str) -> bool {
        package == self.package || self.may_use.contains(&package)
    }

    /// What it may know, for a person.
    pub(crate) fn allowance(&self) -> String {
        match self.may_use {
            [] => "nothing of this workspace".to_owned(),
            names => names.join(", "),
        }
    }
}
