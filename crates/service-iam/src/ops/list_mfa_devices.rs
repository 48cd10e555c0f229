//! `ListMFADevices`: the second factors of a user.

use api_iam::ops::ListMFADevices;
use api_iam::types::{ListMFADevicesRequest, ListMFADevicesResponse, MFADevice};
use iam::MfaDevice;
use policy::{Access, Authorized, Caller};
use state::Row;
use wire::ApiError;

use crate::page::page;
use crate::{IamContext, access, lookup, name};

pub(crate) fn accesses(
    ctx: &IamContext,
    caller: &Caller,
    input: &ListMFADevicesRequest,
) -> Vec<Access> {
    vec![access::on_user_or_caller::<ListMFADevices>(ctx, caller, input.user_name.as_deref())]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<ListMFADevices>,
) -> Result<ListMFADevicesResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let view = ctx.state.view();
    let name = name::user_or_caller(&caller, input.user_name.as_deref())?;
    let user = lookup::user(&view, account, name)?;
    let key = |device: &&Row<MfaDevice>| device.name.to_ascii_lowercase();
    let devices = lookup::mfa_devices_of(&view, user);
    let page =
        page(devices, key, input.max_items, input.marker.as_deref())?.map(|device| MFADevice {
            user_name: device.user.clone(),
            serial_number: Some(device.serial_number()),
            enable_date: device.enabled_at,
        });
    Ok(ListMFADevicesResponse {
        is_truncated: page.is_truncated(),
        mfa_devices: Some(page.items),
        marker: page.marker,
    })
}
