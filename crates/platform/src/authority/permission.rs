use topdog_domain::api_key::Scope;

/// What a route lets its caller do.
pub(crate) trait Permission: Send + Sync + 'static {
    /// The scope that a key needs.
    const SCOPE: Scope;
    /// Is it a call of the key-management API, which the tier limits by the minute and whose denials are audited?
    const IS_KEY_MANAGEMENT: bool;
}

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident = $scope:ident, key_management: $managed:literal;)*) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl Permission for $name {
            const SCOPE: Scope = Scope::$scope;
            const IS_KEY_MANAGEMENT: bool = $managed;
        }
    )*};
}

permissions! {
    /// Reads the organisation.
    ReadOrg = OrgRead, key_management: false;
    /// Changes the organisation.
    WriteOrg = OrgWrite, key_management: false;
    /// Reads Top Dog API keys.
    ReadApiKeys = ApiKeysRead, key_management: true;
    /// Makes, rotates and revokes Top Dog API keys.
    ManageApiKeys = ApiKeysWrite, key_management: true;
    /// Reads what is known of provider keys.
    ReadProviderKeys = ProviderKeysRead, key_management: true;
    /// Adds, tests, rotates and deletes provider keys.
    ManageProviderKeys = ProviderKeysWrite, key_management: true;
    /// Reads policies.
    ReadPolicies = PoliciesRead, key_management: false;
    /// Changes policies.
    WritePolicies = PoliciesWrite, key_management: false;
    /// Reads usage and debug logs.
    ReadUsage = UsageRead, key_management: false;
    /// Reads the audit log.
    ReadAudit = AuditRead, key_management: false;
}
