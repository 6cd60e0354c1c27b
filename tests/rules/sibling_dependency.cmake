# SPDX-License-Identifier: MIT OR Apache-2.0
# A module that wants another module.
# FAILS: siblings
helix_check_layer(sdk sdk)
helix_check_layer(low lib sdk)
helix_check_layer(middle core sdk low)
helix_check_layer(one outer sdk low)
if(BREAK_RULE)
  helix_check_layer(other outer sdk one)
else()
  helix_check_layer(other outer sdk low)
endif()
