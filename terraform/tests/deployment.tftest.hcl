# What the module makes of its variables.  Nothing is deployed: azurerm is mocked.

mock_provider "azurerm" {
  mock_data "azurerm_client_config" {
    defaults = {
      subscription_id = "11111111-2222-3333-4444-555555555555"
      object_id       = "AAAAAAAA-0000-0000-0000-000000000001"
    }
  }

  mock_resource "azurerm_cognitive_account" {
    defaults = {
      id                 = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/cvsearch/providers/Microsoft.CognitiveServices/accounts/cvsearch"
      endpoint           = "https://cvsearch-from-azure.cognitiveservices.azure.com/"
      primary_access_key = "0123456789abcdef0123456789abcdef"
    }
  }
}

run "defaults" {
  assert {
    condition     = length(azurerm_resource_group.new) == 1 && azurerm_resource_group.new[0].name == "cvsearch" && azurerm_resource_group.new[0].location == "eastus"
    error_message = "A resource group is made."
  }
  assert {
    condition     = azurerm_cognitive_account.vision.kind == "ComputerVision" && azurerm_cognitive_account.vision.sku_name == "F0" && azurerm_cognitive_account.vision.identity[0].type == "SystemAssigned"
    error_message = "A free Computer Vision resource with an identity of its own."
  }
  assert {
    condition     = azurerm_cognitive_account.vision.custom_subdomain_name == "cvsearch-${substr(sha256("11111111-2222-3333-4444-555555555555/cvsearch"), 0, 8)}"
    error_message = "The subdomain is made of the name and a hash of subscription and resource group."
  }
  assert {
    condition     = length(azurerm_cognitive_account.vision.network_acls) == 0
    error_message = "Without rules there is no firewall."
  }
  assert {
    condition     = keys(azurerm_role_assignment.user) == ["aaaaaaaa-0000-0000-0000-000000000001"]
    error_message = "The caller gets the role, and nobody else."
  }
  assert {
    condition     = alltrue([for one in azurerm_role_assignment.user : one.role_definition_name == "Cognitive Services User" && one.scope == azurerm_cognitive_account.vision.id && one.principal_id == "aaaaaaaa-0000-0000-0000-000000000001"])
    error_message = "The role is Cognitive Services User, on this resource alone."
  }
  assert {
    condition     = output.cvsearch_endpoint == "https://cvsearch-from-azure.cognitiveservices.azure.com/" && output.cvsearch_auth == "key"
    error_message = "The outputs hand over the endpoint, and that keys are on."
  }
  assert {
    condition     = output.cvsearch_key == "0123456789abcdef0123456789abcdef"
    error_message = "The output hands over the first key."
  }
  assert {
    condition     = azurerm_cognitive_account.vision.tags == tomap({ application = "cvsearch" }) && azurerm_resource_group.new[0].tags == tomap({ application = "cvsearch" })
    error_message = "Both resources are tagged."
  }
}

run "keys_off" {
  variables {
    local_auth_enabled = false
  }

  assert {
    condition     = azurerm_cognitive_account.vision.local_auth_enabled == false
    error_message = "The resource has no keys."
  }
  assert {
    condition     = output.cvsearch_auth == "entra" && output.cvsearch_key == null
    error_message = "Entra signs in, and no key is handed over."
  }
}

run "keys_off_and_nobody_may_use_it" {
  variables {
    local_auth_enabled    = false
    assign_role_to_caller = false
  }

  expect_failures = [check.somebody_can_sign_in]
}

run "an_existing_group" {
  variables {
    create_resource_group = false
    resource_group_name   = "Photo-Archive"
    location              = "West Europe"
    sku                   = "S1"
    name                  = "photos"
    subdomain             = "our-photos"
    tags                  = { team = "archive" }
  }

  assert {
    condition     = length(azurerm_resource_group.new) == 0 && output.resource_group_name == "Photo-Archive"
    error_message = "The group is looked up, not made."
  }
  assert {
    condition     = azurerm_cognitive_account.vision.resource_group_name == "Photo-Archive" && azurerm_cognitive_account.vision.location == "westeurope"
    error_message = "The resource lies in that group and in the region asked for, however that is spelt."
  }
  assert {
    condition     = azurerm_cognitive_account.vision.name == "photos" && azurerm_cognitive_account.vision.sku_name == "S1" && azurerm_cognitive_account.vision.custom_subdomain_name == "our-photos" && azurerm_cognitive_account.vision.tags == tomap({ team = "archive" })
    error_message = "Name, tier, subdomain and tags are what was asked for."
  }
}

run "network_rules" {
  variables {
    network_rules = {
      ip_rules   = ["203.0.113.7", "198.51.100.0/24"]
      subnet_ids = ["/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/net/subnets/photos"]
    }
  }

  assert {
    condition     = azurerm_cognitive_account.vision.network_acls[0].default_action == "Deny" && toset(azurerm_cognitive_account.vision.network_acls[0].ip_rules) == toset(["203.0.113.7", "198.51.100.0/24"])
    error_message = "Only the addresses named are let in."
  }
  assert {
    condition     = endswith(one(azurerm_cognitive_account.vision.network_acls[0].virtual_network_rules[*].subnet_id), "/subnets/photos")
    error_message = "Only the subnets named are let in."
  }
}

run "addresses_beside_private_ones" {
  variables {
    network_rules = {
      ip_rules = ["9.255.255.255", "11.0.0.0/8", "100.63.255.255", "100.128.0.0/9", "126.0.0.1", "128.0.0.0/16", "172.15.0.0/16", "172.32.0.0/11", "192.167.0.0/16", "192.169.0.1", "223.255.255.255", "203.0.113.4/30"]
    }
  }

  assert {
    condition     = length(azurerm_cognitive_account.vision.network_acls[0].ip_rules) == 12
    error_message = "They are let in."
  }
}

run "further_principals" {
  variables {
    # The second is the caller again.
    principal_ids = ["bbbbbbbb-0000-0000-0000-000000000002", "aaaaaaaa-0000-0000-0000-000000000001"]
  }

  assert {
    condition     = keys(azurerm_role_assignment.user) == ["aaaaaaaa-0000-0000-0000-000000000001", "bbbbbbbb-0000-0000-0000-000000000002"]
    error_message = "Each gets the role once."
  }
}

run "only_others" {
  variables {
    assign_role_to_caller = false
    principal_ids         = ["bbbbbbbb-0000-0000-0000-000000000002"]
  }

  assert {
    condition     = keys(azurerm_role_assignment.user) == ["bbbbbbbb-0000-0000-0000-000000000002"]
    error_message = "The caller gets no role."
  }
}
