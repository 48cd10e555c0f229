//! `ListVirtualMFADevices`: the second factors of the account.

use api_iam::ops::ListVirtualMFADevices;
use api_iam::types::{
    ListVirtualMFADevicesRequest, ListVirtualMFADevicesResponse, VirtualMFADevice,
    assignmentStatusType,
};
use iam::MfaDevice;
use policy::{Access, Authorized, Caller};
use state::Row;
use wire::ApiError;

use crate::page::page;
use crate::{IamContext, access, render};

pub(crate) fn accesses(
    _ctx: &IamContext,
    caller: &Caller,
    _input: &ListVirtualMFADevicesRequest,
) -> Vec<Access> {
    vec![access::on_all::<ListVirtualMFADevices>(&caller.principal.account, "mfa", None)]
}

pub(crate) async fn execute(
    ctx: &IamContext,
    call: Authorized<ListVirtualMFADevices>,
) -> Result<ListVirtualMFADevicesResponse, ApiError> {
    let (caller, input) = call.into_parts();
    let account = &caller.principal.account;
    let view = ctx.state.view();
    let devices = view.identities().mfa_devices().filter(|device| {
        device.account == *account
            && match &input.assignment_status {
                Some(assignmentStatusType::Assigned) => device.user.is_some(),
                Some(assignmentStatusType::Unassigned) => device.user.is_none(),
                Some(assignmentStatusType::Any | assignmentStatusType::Unrecognized(_)) | None => {
                    true
                }
            }
    });
    let key = |device: &&Row<MfaDevice>| device.name.to_ascii_lowercase();
    let page = page(devices, key, input.max_items, input.marker.as_deref())?.map(|device| {
        let user = device.user.as_deref().and_then(|user| {
            view.identities().user(&iam::key(account, user)).map(|user| render::user::listed(user))
        });
        VirtualMFADevice {
            serial_number: Some(device.serial_number()),
            enable_date: device.enabled_at,
            user,
            ..VirtualMFADevice::default()
        }
    });
    Ok(ListVirtualMFADevicesResponse {
        is_truncated: page.is_truncated(),
        virtual_mfa_devices: Some(page.items),
        marker: page.marker,
    })
}
