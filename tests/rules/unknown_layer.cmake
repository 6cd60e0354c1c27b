# SPDX-License-Identifier: MIT OR Apache-2.0
# A layer that the design does not have.
# FAILS: unknown layer 'kernel'
helix_check_layer(sdk sdk)
helix_check_layer(low lib sdk)
helix_check_layer(middle core sdk low)
helix_check_layer(one outer sdk low)
if(BREAK_RULE)
  helix_check_layer(other kernel sdk)
else()
  helix_check_layer(other runtime sdk)
endif()
