# What the module refuses before anything reaches Azure: each variable named must object.

mock_provider "azurerm" {}

run "what_fits_no_variable" {
  command = plan

  variables {
    subscription_id     = "Pay-As-You-Go"
    name                = "Photo Search"
    subdomain           = "photos.example"
    resource_group_name = "photos."
    location            = "brazilsouth"
    sku                 = "S0"
    principal_ids       = ["somebody@example.com"]
    network_rules       = {}
  }

  expect_failures = [var.subscription_id, var.name, var.subdomain, var.resource_group_name, var.location, var.sku, var.principal_ids, var.network_rules]
}

run "a_tier_in_small_letters" {
  command = plan

  variables {
    sku = "f0"
  }

  expect_failures = [var.sku]
}

run "a_host_name_in_the_rules" {
  command = plan

  variables {
    network_rules = { ip_rules = ["example.com"] }
  }

  expect_failures = [var.network_rules]
}

run "an_ipv6_address_in_the_rules" {
  command = plan

  variables {
    network_rules = { ip_rules = ["2001:db8::1"] }
  }

  expect_failures = [var.network_rules]
}

run "a_range_of_one_address" {
  command = plan

  variables {
    network_rules = { ip_rules = ["203.0.113.7/32"] }
  }

  expect_failures = [var.network_rules]
}

run "a_private_range" {
  command = plan

  variables {
    network_rules = { ip_rules = ["192.168.1.0/24"] }
  }

  expect_failures = [var.network_rules]
}
