# What the module refuses before anything reaches Azure: each variable named must object.

mock_provider "azurerm" {}

run "what_fits_no_variable" {
  command = plan

  variables {
    subscription_id     = "Pay-As-You-Go"
    name                = "Photo Search"
    subdomain           = "photos.example"
    resource_group_name = "photos."
    sku                 = "S0"
    principal_ids       = ["somebody@example.com"]
    network_rules       = {}
  }

  expect_failures = [var.subscription_id, var.name, var.subdomain, var.resource_group_name, var.sku, var.principal_ids, var.network_rules]
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

run "a_range_of_two_addresses" {
  command = plan

  variables {
    network_rules = { ip_rules = ["203.0.113.6/31"] }
  }

  expect_failures = [var.network_rules]
}

run "a_range_that_begins_within" {
  command = plan

  variables {
    network_rules = { ip_rules = ["203.0.113.7/24"] }
  }

  expect_failures = [var.network_rules]
}

run "the_whole_internet" {
  command = plan

  variables {
    network_rules = { ip_rules = ["0.0.0.0/0"] }
  }

  expect_failures = [var.network_rules]
}

run "this_machine" {
  command = plan

  variables {
    network_rules = { ip_rules = ["127.0.0.1"] }
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

run "a_private_address" {
  command = plan

  variables {
    network_rules = { ip_rules = ["10.1.2.3"] }
  }

  expect_failures = [var.network_rules]
}

run "the_last_of_a_private_block" {
  command = plan

  variables {
    network_rules = { ip_rules = ["172.31.255.254"] }
  }

  expect_failures = [var.network_rules]
}

run "a_shared_address" {
  command = plan

  variables {
    network_rules = { ip_rules = ["100.127.0.1"] }
  }

  expect_failures = [var.network_rules]
}

run "a_link_local_address" {
  command = plan

  variables {
    network_rules = { ip_rules = ["169.254.169.254"] }
  }

  expect_failures = [var.network_rules]
}

run "an_address_for_many" {
  command = plan

  variables {
    network_rules = { ip_rules = ["224.0.0.1"] }
  }

  expect_failures = [var.network_rules]
}

run "no_address" {
  command = plan

  variables {
    network_rules = { ip_rules = ["0.0.0.0"] }
  }

  expect_failures = [var.network_rules]
}

run "a_range_around_a_private_one" {
  command = plan

  variables {
    network_rules = { ip_rules = ["172.0.0.0/8"] }
  }

  expect_failures = [var.network_rules]
}

run "a_region_without_the_feature" {
  command = plan

  variables {
    location = "brazilsouth"
  }

  expect_failures = [azurerm_cognitive_account.vision]
}
