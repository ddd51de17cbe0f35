//! The two labels that every request carries into every service-level metric (BRIEF part 4).

use serde::{Deserialize, Serialize};

/// The label `plan`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Plan {
    /// FREE.
    Starter,
    /// PRO, PRO-PLUS, TEAMS-*.
    Pro,
    /// ENTERPRISE-*.
    Enterprise,
}

impl Plan {
    /// All plans, lowest first.
    pub const ALL: [Self; 3] = [Self::Starter, Self::Pro, Self::Enterprise];

    /// The label's value.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starter => "Starter",
            Self::Pro => "Pro",
            Self::Enterprise => "Enterprise",
        }
    }

    /// The plan with exactly that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.name() == name)
    }
}

/// The label `data_segment`, ordered from lax to strict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataSegment {
    /// Nothing special.
    General,
    /// Scientific data: regulated.
    Scientific,
    /// Medical data: regulated, the strictest.
    Medical,
}

impl DataSegment {
    /// All segments, laxest first.
    pub const ALL: [Self; 3] = [Self::General, Self::Scientific, Self::Medical];

    /// The label's value.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::General => "general",
            Self::Scientific => "scientific",
            Self::Medical => "medical",
        }
    }

    /// The segment with exactly that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }

    /// Must the audit entry be durable before a key is used, and the record before the last byte?
    #[must_use]
    pub const fn is_regulated(self) -> bool {
        !matches!(self, Self::General)
    }
}

/// What the operator set for requests that carry no label (the four environment variables).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabelDefaults {
    /// `DEFAULT_PLAN`.
    pub plan: Plan,
    /// `DEFAULT_DATA_SEGMENT`.
    pub segment: DataSegment,
    /// `ENABLE_REGULATED_DOMAINS`.
    pub is_regulated_enabled: bool,
    /// `DEFAULT_REGULATED_SEGMENT`.
    pub regulated_segment: DataSegment,
}

impl Default for LabelDefaults {
    fn default() -> Self {
        Self {
            plan: Plan::Pro,
            segment: DataSegment::General,
            is_regulated_enabled: false,
            regulated_segment: DataSegment::Medical,
        }
    }
}

/// The labels as the client or a gateway in front sent them; `None` where it sent none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SentLabels {
    /// `X-Plan`.
    pub plan: Option<Plan>,
    /// `X-Data-Segment`.
    pub segment: Option<DataSegment>,
}

/// A label header held a value outside its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadLabel {
    /// `X-Plan`.
    #[error("X-Plan must be one of Starter, Pro, Enterprise")]
    Plan,
    /// `X-Data-Segment`.
    #[error("X-Data-Segment must be one of general, medical, scientific")]
    Segment,
}

impl SentLabels {
    /// The labels with one more `X-Plan`.
    ///
    /// # Errors
    /// Where it is not one of the list, or another than was sent before.
    pub fn with_plan(self, value: &[u8]) -> Result<Self, BadLabel> {
        let plan = std::str::from_utf8(value).ok().and_then(Plan::from_name).ok_or(BadLabel::Plan)?;
        match self.plan {
            Some(other) if other != plan => Err(BadLabel::Plan),
            _ => Ok(Self { plan: Some(plan), ..self }),
        }
    }

    /// The labels with one more `X-Data-Segment`: of several the strictest counts.
    ///
    /// # Errors
    /// Where it is not one of the list.
    pub fn with_segment(self, value: &[u8]) -> Result<Self, BadLabel> {
        let segment =
            std::str::from_utf8(value).ok().and_then(DataSegment::from_name).ok_or(BadLabel::Segment)?;
        Ok(Self { segment: self.segment.max(Some(segment)), ..self })
    }
}

/// The labels a request ends up with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    /// `plan`.
    pub plan: Plan,
    /// `data_segment`.
    pub segment: DataSegment,
}

impl Labels {
    /// Labels of a request whose tenant is known. The plan is the tier's, unless a trusted front gateway
    /// said otherwise; the segment is the strictest of what the tenant has and what the header says: a
    /// header can make it stricter, never laxer.
    #[must_use]
    pub fn of_tenant(
        sent: SentLabels,
        is_front_trusted: bool,
        tier_plan: Plan,
        tenant_segment: Option<DataSegment>,
        defaults: &LabelDefaults,
    ) -> Self {
        let plan = sent.plan.filter(|_| is_front_trusted).unwrap_or(tier_plan);
        let floor = tenant_segment.unwrap_or(DataSegment::General);
        let segment = match (sent.segment, tenant_segment) {
            (Some(sent), _) => sent.max(floor),
            (None, Some(tenant)) => tenant,
            (None, None) => defaults.missing_segment(),
        };
        Self { plan, segment }
    }

    /// Labels of a request whose tenant is not known (it was refused before, or has none).
    #[must_use]
    pub fn of_stranger(sent: SentLabels, defaults: &LabelDefaults) -> Self {
        Self {
            plan: sent.plan.unwrap_or(defaults.plan),
            segment: sent.segment.unwrap_or_else(|| defaults.missing_segment()),
        }
    }
}

impl LabelDefaults {
    const fn missing_segment(&self) -> DataSegment {
        if self.is_regulated_enabled { self.regulated_segment } else { self.segment }
    }
}
