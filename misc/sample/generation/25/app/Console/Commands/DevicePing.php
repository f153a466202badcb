<?php
// The device:ping of this generation knows one device only.
