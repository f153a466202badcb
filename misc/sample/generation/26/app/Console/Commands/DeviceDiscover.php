<?php
// device:discover exists in this generation.
