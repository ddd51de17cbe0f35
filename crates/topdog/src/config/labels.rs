use super::checked::{Bad, Checked};
use super::raw;
use topdog_domain::labels::{DataSegment, LabelDefaults, Plan};

pub(super) fn check(raw: &raw::Labels) -> Checked<LabelDefaults> {
    let plan = Plan::from_name(&raw.default_plan)
        .ok_or_else(|| Bad::new("labels.default_plan", "must be Starter, Pro or Enterprise"))?;
    let segment = DataSegment::from_name(&raw.default_data_segment)
        .ok_or_else(|| Bad::new("labels.default_data_segment", "must be general, medical or scientific"))?;
    let regulated_segment = DataSegment::from_name(&raw.default_regulated_segment)
        .filter(|segment| segment.is_regulated())
        .ok_or_else(|| Bad::new("labels.default_regulated_segment", "must be medical or scientific"))?;
    Ok(LabelDefaults { plan, segment, is_regulated_enabled: raw.enable_regulated_domains, regulated_segment })
}
